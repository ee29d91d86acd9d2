"""States of a session (RFC 9051 §3): a union whose members carry what that state needs."""

from __future__ import annotations

import enum
from bisect import bisect_left
from dataclasses import dataclass

from mailraven.directory import Identity
from mailraven.imapd.outcome import no
from mailraven.imapd.sequential import Ahead
from mailraven.mailstore import MailboxView, Snapshot


@dataclass(frozen=True, slots=True)
class NotAuthenticated:
    """Nobody has signed in yet."""


@dataclass(frozen=True, slots=True)
class Authenticated:
    """Somebody has, and no mailbox is selected."""

    identity: Identity


@dataclass(slots=True)
class Enabled:
    """What the client has switched on (RFC 5161); there is no way back."""

    condstore: bool = False
    """FETCH responses nobody asked for show MODSEQ (RFC 7162 §3.1)."""
    qresync: bool = False
    """VANISHED takes the place of EXPUNGE (RFC 7162 §3.2)."""


@dataclass(slots=True)
class Selected:
    """A mailbox is open. `snapshot` is what the client has been told; it moves at the end of commands."""

    identity: Identity
    view: MailboxView
    snapshot: Snapshot
    read_only: bool
    first_recent: int
    """UIDs from here on are \\Recent in this session (RFC 3501 §2.3.2)."""
    uidnext: int
    """UIDNEXT as it was at SELECT: what came later has not been claimed as \\Recent."""
    keywords: int
    """How many of the view's keywords FLAGS has announced."""
    enabled: Enabled
    """The session's."""
    saved: tuple[int, ...] = ()
    """UIDs that `$` stands for (RFC 5182), ascending; those that are gone stay and match nothing."""
    ahead: Ahead | None = None
    """Messages read along for a client that fetches one after the other."""

    @property
    def account(self) -> int:
        """The account of the mailbox."""
        return self.view.account

    @property
    def mailbox(self) -> int:
        """The id of the mailbox."""
        return self.view.mailbox

    @property
    def recent(self) -> int:
        """How many of the announced messages are \\Recent."""
        snapshot = self.snapshot
        return snapshot.count - bisect_left(snapshot.uids, self.first_recent, 0, snapshot.count)


@dataclass(frozen=True, slots=True)
class Logout:
    """The connection is ending."""


State = NotAuthenticated | Authenticated | Selected | Logout


class In(enum.Flag):
    """Sets of states, for the table of commands."""

    NOT_AUTHENTICATED = enum.auto()
    AUTHENTICATED = enum.auto()
    SELECTED = enum.auto()
    SIGNED_IN = AUTHENTICATED | SELECTED
    ANY = NOT_AUTHENTICATED | AUTHENTICATED | SELECTED


_MEMBER: dict[type[State], In] = {
    NotAuthenticated: In.NOT_AUTHENTICATED,
    Authenticated: In.AUTHENTICATED,
    Selected: In.SELECTED,
    Logout: In(0),
}


def member(state: State) -> In:
    """The state as a member of those sets."""
    return _MEMBER[type(state)]


READ_ONLY = no("The mailbox is open read-only", "READ-ONLY")
"""What EXAMINE refuses (RFC 9051 §6.3.3)."""
