"""What the sessions of a process share: the nouns they work on and the limits they keep."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from mailraven.directory import Directory
from mailraven.imapd.limits import Limits
from mailraven.limits import Gate
from mailraven.mailstore import Mailstore
from mailraven.trace import Recorder


@dataclass(frozen=True, slots=True)
class Services:
    """Handed to every session."""

    mailstore: Mailstore
    directory: Directory
    limits: Limits
    hostname: str
    version: str
    tls: ssl.SSLContext | None
    """For STARTTLS; None: not offered."""
    plaintext_login_from_loopback: bool = False
    gate: Gate | None = None
    """Limits and bans; None: none."""
    trace: Recorder | None = None
    """Where failed log-ins are noted."""
