"""The limits of sessions (RFC 5321 §4.5.3), from the settings."""

from dataclasses import dataclass

from mailraven.config import SmtpConfig


@dataclass(frozen=True, slots=True)
class Limits:
    max_message_size: int = 50 << 20
    max_recipients: int = 1000
    surplus_recipients: int = 100  # beyond the most, until each one more counts as an error
    max_connections: int = 1000
    max_errors: int = 20
    max_auth_failures: int = 3
    max_hops: int = 100
    command_timeout: float = 300.0
    data_timeout: float = 180.0
    tls_timeout: float = 30.0
    session_timeout: float = 3600.0  # a session ends at the next pause between transactions
    transaction_timeout: float = 1800.0  # from MAIL to the end of the data, however slowly it comes
    memory_budget: int = 256 << 20  # octets of messages being received or stored, in one process

    @classmethod
    def of(cls, config: SmtpConfig) -> "Limits":
        own = cls()
        # Not every limit is a setting; those that are have the same name there.
        known = {name: getattr(config, name, getattr(own, name)) for name in cls.__dataclass_fields__}
        return cls(**known)
