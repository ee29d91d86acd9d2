"""What the sessions of a listener share."""

import ssl
from dataclasses import dataclass
from enum import StrEnum

from mailraven.directory import Directory
from mailraven.mailstore import Intake
from mailraven.policy.chain import MX, SUBMISSION, Policy
from mailraven.smtpd.budget import MemoryBudget
from mailraven.smtpd.limits import Limits


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

    @property
    def policy(self) -> Policy:
        return POLICIES[self.role]
