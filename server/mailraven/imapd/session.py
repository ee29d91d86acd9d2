"""One client's session: who, which state, what may be done now. Knows no socket."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Awaitable, Callable

import structlog

from mailraven.directory import Identity
from mailraven.imapd.services import Services
from mailraven.imapd.state import Authenticated, Enabled, NotAuthenticated, Selected, State
from mailraven.mailstore import MailstoreError

_log = structlog.get_logger(component="imapd")

Ask = Callable[[bytes], Awaitable[bytes]]
"""Sends a continuation request and returns the client's next line, without its CRLF."""


class Session:
    """Handlers read and change it; the connection owns it."""

    __slots__ = ("ask", "auth_failures", "enabled", "id", "peer", "reported", "secure", "services", "state", "tag")

    def __init__(self, services: Services, ask: Ask, peer: str, *, secure: bool) -> None:
        self.services = services
        self.ask = ask
        self.peer = peer
        self.secure = secure
        self.id = secrets.token_hex(6)
        self.state: State = NotAuthenticated()
        self.enabled = Enabled()
        self.tag = ""
        """Of the command in progress."""
        self.auth_failures = 0
        self.reported: dict[int, int] | None = None
        """UIDs whose flags the command in progress has told or must not tell, with the MODSEQ that covers."""

    @property
    def may_send_password(self) -> bool:
        """RFC 9051 §11.1: no password in the clear; a setting excepts the loopback interface."""
        return self.secure or (self.services.plaintext_login_from_loopback and _is_loopback(self.peer))

    @property
    def may_start_tls(self) -> bool:
        """RFC 9051 §6.2.1: before login, once."""
        return not self.secure and self.services.tls is not None and isinstance(self.state, NotAuthenticated)

    @property
    def identity(self) -> Identity:
        """Who signed in. Only for handlers of those states."""
        if isinstance(self.state, Authenticated | Selected):
            return self.state.identity
        raise TypeError("nobody has signed in")

    @property
    def account(self) -> int:
        """The account of who signed in."""
        return self.identity.account_id

    @property
    def selected(self) -> Selected:
        """The selected mailbox. Only for handlers of that state."""
        if isinstance(self.state, Selected):
            return self.state
        raise TypeError("no mailbox is selected")

    def report(self, uids: dict[int, int]) -> None:
        """These flags are told already: the end of the command need not."""
        self.reported = uids if self.reported is None else self.reported | uids

    async def leave_mailbox(self) -> None:
        """Close the selected mailbox, if any; nothing is expunged."""
        if not isinstance(self.state, Selected):
            return
        selected, self.state = self.state, Authenticated(self.state.identity)
        self.services.mailstore.release(selected.view)
        if selected.read_only or selected.view.gone or not _arrived(selected):
            return
        # Messages that came while it was open were \Recent here, so they are not to the next SELECT.
        try:
            await self.services.mailstore.claim_recent(selected.account, selected.mailbox)
        except MailstoreError as error:
            _log.info("recent messages not claimed", session=self.id, error=type(error).__name__)


def _arrived(selected: Selected) -> bool:
    count, uids = selected.snapshot.count, selected.snapshot.uids
    return count > 0 and uids[count - 1] >= selected.uidnext


def _is_loopback(peer: str) -> bool:
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
