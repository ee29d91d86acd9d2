"""What one client may take of the process: sizes and times, from the settings."""

from __future__ import annotations

from dataclasses import dataclass, field

from mailraven import imap
from mailraven.config import ImapConfig

KIB = 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Octets and seconds. Before login a client gets little of either."""

    before_login: imap.Limits = imap.BEFORE_LOGIN
    signed_in: imap.Limits = field(default_factory=imap.Limits)
    pipelined: int = 64 * KIB
    """Octets kept of commands that wait for the one in progress; beyond it we stop reading."""
    login_timeout: float = 60.0
    idle_timeout: float = 1800.0
    stalled_timeout: float = 120.0
    """Silence in the middle of a command or literal, and a client that does not take its responses."""
    tls_timeout: float = 30.0
    accounts_interval: float = 20.0
    """How often the accounts of open sessions are looked up, to end those of inactive ones."""
    login_delay: tuple[float, float] = (1.0, 2.0)
    """A failed login is answered after a random time between these."""
    auth_failures: int = 3
    bad_commands: int = 20
    connections: int = 10_000

    @classmethod
    def of(cls, config: ImapConfig) -> Limits:
        """The limits that the settings ask for."""
        return cls(
            signed_in=imap.Limits(
                line=config.max_line,
                literal=config.max_literal,
                command=config.max_command_size,
                message=config.max_message_size,
                discard=2 * config.max_message_size,
            ),
            login_timeout=config.login_timeout,
            idle_timeout=config.idle_timeout,
            tls_timeout=config.tls_timeout,
            auth_failures=config.max_auth_failures,
            bad_commands=config.max_bad_commands,
            connections=config.max_connections,
        )
