"""MailDomain: its reconciliation and what it decides by."""

from mailraven_operator.domains.kind import MailDomains

KIND = MailDomains()

__all__ = ["KIND", "MailDomains"]
