"""The IMAP daemon: connections, sessions and what each command does (RFC 3501, RFC 9051).

Handlers return an Outcome and never write; only connection.py touches the socket.
"""

from mailraven.imapd.limits import Limits
from mailraven.imapd.server import ImapServer

__all__ = ["ImapServer", "Limits"]
