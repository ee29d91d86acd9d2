"""Settings of password checking (RFC 9106 Argon2)."""

from pydantic import Field

from mailraven.config.section import Section


class AuthConfig(Section):
    """Log-ins, the same for every protocol."""

    hash_threads: int = Field(default=2, ge=1, le=64)
    """Threads of a process that compute password hashes; each takes 19 MiB while it works."""
    hash_queue: int = Field(default=128, ge=1, le=10_000)
    """Log-ins that may wait for such a thread; further ones are told to come later."""
