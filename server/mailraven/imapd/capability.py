"""The capability list, by state: what works, and nothing else (RFC 9051 §6.1.1)."""

from __future__ import annotations

from mailraven.imapd.session import Session
from mailraven.imapd.state import NotAuthenticated

_BEFORE_LOGIN = ("IMAP4rev1", "LITERAL+", "SASL-IR", "ID")
_SIGNED_IN = (
    "IMAP4rev1",
    "LITERAL+",
    "ID",
    "IDLE",
    "NAMESPACE",
    "CHILDREN",
    "SPECIAL-USE",
    "LIST-EXTENDED",
    "UNSELECT",
    "UIDPLUS",
    "MOVE",
)


def capabilities(session: Session) -> str:
    """As in the CAPABILITY response and response code."""
    if not isinstance(session.state, NotAuthenticated):
        return " ".join(_SIGNED_IN)
    names = list(_BEFORE_LOGIN)
    if session.may_start_tls:
        names.append("STARTTLS")
    # RFC 9051 §6.2.3: no password where it could be read on the way.
    names.append("AUTH=PLAIN" if session.may_send_password else "LOGINDISABLED")
    return " ".join(names)
