"""Settings of the IMAP daemon (RFC 9051)."""

from pydantic import Field

from mailraven.config.section import Section
from mailraven.config.units import Seconds, Size


class ImapConfig(Section):
    """IMAP, for the role imap."""

    idle_timeout: Seconds = Field(default=1800.0, ge=60)
    """How long a logged-in session may be silent, also in IDLE; RFC 9051 §5.4 asks for 30 minutes."""
    login_timeout: Seconds = 60.0
    """How long a session may take until it has logged in."""
    tls_timeout: Seconds = 30.0
    """How long a TLS handshake may take."""
    max_message_size: Size = Field(default=52_428_800, ge=65536)
    """The largest message that APPEND takes, announced by APPENDLIMIT (RFC 7889)."""
    max_command_size: Size = Field(default=1024 * 1024, ge=8192)
    """The largest command, its literals included, except the message of APPEND."""
    max_literal: Size = Field(default=256 * 1024, ge=1024)
    """The largest literal that is not a message."""
    max_line: Size = Field(default=65536, ge=8192)
    """The longest line of a command."""
    max_connections: int = Field(default=10_000, ge=1)
    """Connections a process serves at a time; one more gets BYE."""
    max_auth_failures: int = Field(default=3, ge=1)
    """Failed log-ins in one session before it is closed with BYE."""
    max_bad_commands: int = Field(default=20, ge=1)
    """Commands in a row that end in BAD before the session is closed with BYE."""
    poll_interval: Seconds = Field(default=20.0, ge=1)
    """How often an open mailbox is compared with the database, should a notification have been lost."""
    allow_plaintext_login_from_loopback: bool = False
    """Take passwords without TLS from clients on the loopback interface; for measuring only."""
