"""The SMTP daemon of the roles mx and submission: sockets, sessions, acceptance.

engine      the connection: aiosmtpd's protocol, reading and writing (the only module that imports aiosmtpd)
commands    one row for each command; handlers return replies or actions, only the engine writes
gather      look-ups into facts for mailraven.policy
acceptance  a whole message into a Delivery; 250 only after it is durable
"""

from mailraven.smtpd.limits import Limits
from mailraven.smtpd.server import SmtpServer
from mailraven.smtpd.services import Role

__all__ = ["Limits", "Role", "SmtpServer"]
