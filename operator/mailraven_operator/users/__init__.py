"""The kind MailUser."""

from mailraven_operator.users.kind import MailUsers

__all__ = ["KIND", "MailUsers"]

KIND = MailUsers()
