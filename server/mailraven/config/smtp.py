"""Settings of the SMTP daemons, mx and submission (RFC 5321, RFC 6409)."""

from pydantic import Field

from mailraven.config.section import Section
from mailraven.config.units import Seconds, Size


class SmtpConfig(Section):
    """SMTP, for the roles mx and submission."""

    max_message_size: Size = Field(default=52_428_800, ge=65536)
    """The largest message that is taken, announced by SIZE (RFC 1870)."""
    max_recipients: int = Field(default=1000, ge=100)
    """Recipients of one message; RFC 5321 §4.5.3.1.8 asks for 100 at least."""
    max_connections: int = Field(default=1000, ge=1)
    """Connections a process serves at a time; one more gets 421."""
    max_errors: int = Field(default=20, ge=1)
    """Bad or refused commands in one session before it is closed with 421."""
    max_auth_failures: int = Field(default=3, ge=1)
    """Failed log-ins in one session before it is closed with 421."""
    max_hops: int = Field(default=50, ge=10)
    """Received fields in a message from which on it is a loop (RFC 5321 §6.3)."""
    command_timeout: Seconds = 300.0
    """How long the server waits for the next command (RFC 5321 §4.5.3.2.7)."""
    data_timeout: Seconds = 180.0
    """How long the server waits for the next piece of a message."""
    tls_timeout: Seconds = 30.0
    """How long a TLS handshake may take."""
    allow_plaintext_login_from_loopback: bool = False
    """Take passwords without TLS from clients on the loopback interface; for measuring only."""
