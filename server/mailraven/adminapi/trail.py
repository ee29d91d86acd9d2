"""What is known of a request while it is served: for the audit log, the rate limit headers and the problems."""

from dataclasses import dataclass, field

from starlette.requests import Request

from mailraven.adminapi.clients import Client
from mailraven.adminapi.headers import Scope
from mailraven.limits import Decision

_KEY = "mailraven.trail"
ANONYMOUS = "anonymous"


@dataclass(slots=True)
class Trail:
    """Filled in on the way; the guard reads it when the answer leaves."""

    client: Client = field(default_factory=lambda: Client("", False))
    request_id: str = ""
    actor: str = ANONYMOUS
    decision: Decision | None = None
    reason: str = ""
    """Why it is refused."""
    recorded: bool = False
    """The audit log has an entry of its own for this answer."""


def lay_trail(scope: Scope, trail: Trail) -> None:
    """For this request."""
    scope[_KEY] = trail


def trail_of(request: Request) -> Trail:
    """Of this request."""
    found: Trail = request.scope[_KEY]
    return found
