"""What the sessions of a listener share."""

import ssl
from dataclasses import dataclass
from enum import StrEnum

from mailraven.directory import Directory
from mailraven.limits import Gate
from mailraven.mailstore import Intake
from mailraven.policy.chain import MX, SUBMISSION, Policy
from mailraven.settings import Settings
from mailraven.smtpd.budget import MemoryBudget
from mailraven.smtpd.limits import Limits
from mailraven.trace import Recorder


class Role(StrEnum):
    MX = "mx"
    SUBMISSION = "submission"


POLICIES = {Role.MX: MX, Role.SUBMISSION: SUBMISSION}


@dataclass(frozen=True, slots=True)
class Services:
    """Handed to every session."""

    role: Role
    hostname: str
    directory: Directory
    intake: Intake
    limits: Limits
    budget: MemoryBudget
    tls: ssl.SSLContext | None = None
    """For STARTTLS; None: not offered."""
    plaintext_login_from_loopback: bool = False
    trace: Recorder | None = None
    """Where what happens to mail is noted."""
    gate: Gate | None = None
    """Limits and bans; None: none."""
    settings: Settings | None = None
    """Those that change without a restart; None: as configured."""

    @property
    def max_message_size(self) -> int:
        """Octets, as of now."""
        set_now = self.settings.mail.max_message_size if self.settings is not None else None
        return set_now or self.limits.max_message_size

    @property
    def policy(self) -> Policy:
        return POLICIES[self.role]
