"""What an exchange yields: a challenge to send, credentials to check, or a complaint (RFC 4422 §3)."""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Challenge:
    """Send `data` to the client (base64, in the protocol's own framing) and feed its answer to `step`."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Credentials:
    """The exchange is complete; whoever called it asks the directory."""

    login: str
    password: str = field(repr=False)
    authorization_id: str = ""

    @property
    def acts_for_itself(self) -> bool:
        """False when the client asks to act as somebody else, which no account of ours may."""
        return self.authorization_id in ("", self.login)


@dataclass(frozen=True, slots=True)
class Malformed:
    """The client's message doesn't follow the mechanism's grammar; the exchange is over."""

    why: str


Outcome = Challenge | Credentials | Malformed


class Exchange(Protocol):
    """One exchange; `step` takes the decoded response, None where the client sent no initial one."""

    def step(self, response: bytes | None) -> Outcome: ...
