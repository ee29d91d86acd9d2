"""The audit log as the API shows it."""

from datetime import datetime
from typing import Any, Literal

from mailraven_api.model import Model

Outcome = Literal["ok", "refused", "failed"]


class AuditEntry(Model):
    """Somebody did something, or was refused."""

    id: int
    at: datetime
    actor: str
    """An address, `token NAME`, `cli`, `system`, `anonymous`."""
    ip: str
    request_id: str
    """As in the X-Request-Id of the answer and in the log."""
    action: str
    """Such as `domain.create`, `session.login`, `access`."""
    target: str
    """What it was done to."""
    domain: str | None
    """Whose admins see the entry."""
    outcome: Outcome
    before: dict[str, Any] | None
    """What was changed, as it was; without secrets."""
    after: dict[str, Any] | None
