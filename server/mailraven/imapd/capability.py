"""The capability list, by state: what works, and nothing else (RFC 9051 §6.1.1)."""

from __future__ import annotations

from mailraven.imapd.session import Session
from mailraven.imapd.state import NotAuthenticated

SASL_MECHANISMS = ("PLAIN",)
_BEFORE_LOGIN = ("IMAP4rev1", "LITERAL+", "SASL-IR", "ID")
_SIGNED_IN = (
    "IMAP4rev1",
    "LITERAL+",
    "ID",
    "IDLE",
    "NAMESPACE",
    "CHILDREN",
    "SPECIAL-USE",
    "CREATE-SPECIAL-USE",
    "LIST-EXTENDED",
    "LIST-STATUS",
    "STATUS=SIZE",
    "UNSELECT",
    "UIDPLUS",
    "MOVE",
    "MULTIAPPEND",
    "WITHIN",
    "ENABLE",
    "CONDSTORE",
    "QRESYNC",
    "ESEARCH",
    "SEARCHRES",
    "PARTIAL",
    "OBJECTID",
    "SAVEDATE",
    "QUOTA",
    "QUOTA=RES-STORAGE",
    "UNAUTHENTICATE",
)


def capabilities(session: Session) -> tuple[str, ...]:
    """What works for this session now."""
    if not isinstance(session.state, NotAuthenticated):
        return (*_SIGNED_IN, f"APPENDLIMIT={session.services.limits.signed_in.message}")
    names = list(_BEFORE_LOGIN)
    if session.may_start_tls:
        names.append("STARTTLS")
    # RFC 9051 §6.2.3: no password where it could be read on the way.
    if session.may_send_password:
        names.extend(f"AUTH={mechanism}" for mechanism in SASL_MECHANISMS)
    else:
        names.append("LOGINDISABLED")
    return tuple(names)
