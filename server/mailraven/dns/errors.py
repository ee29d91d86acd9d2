"""Why a look-up gave nothing: for ever, or for now. Each carries its enhanced status code (RFC 3463)."""

from __future__ import annotations


class DnsError(Exception):
    """`status` is the enhanced status code for a message that cannot go on; `permanent` follows its class."""

    status = "4.4.3"

    @property
    def permanent(self) -> bool:
        """Whether asking again is of no use."""
        return self.status.startswith("5")


class LookupFailed(DnsError):
    """SERVFAIL, REFUSED, time-out, no server: it may work later."""


class NameNotFound(DnsError):
    """The name does not exist, or cannot be a name."""

    status = "5.1.2"


class NullMx(DnsError):
    """The domain says that it takes no mail (RFC 7505 §4.1)."""

    status = "5.1.10"


class NoAddress(DnsError):
    """The name exists and has neither A nor AAAA."""

    status = "5.4.4"
