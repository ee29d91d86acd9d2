"""The table of commands: what runs, in which states, and what it does to sequence numbers. A new one is a row here."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from mailraven.imapd.commands import (
    append,
    authenticate,
    capability,
    close,
    copy,
    create,
    delete,
    enable,
    expunge,
    fetch,
    identify,
    idle,
    list_,
    login,
    logout,
    lsub,
    move,
    namespace,
    noop,
    quota,
    rename,
    search,
    select,
    starttls,
    status,
    store,
    subscribe,
    unauthenticate,
    unselect,
)
from mailraven.imapd.outcome import Outcome
from mailraven.imapd.session import Session
from mailraven.imapd.state import In


class Effects(enum.Flag):
    """What the connection must know about a command besides its result."""

    NONE = 0
    USES_SEQ = enum.auto()  # takes or gives message sequence numbers
    MAY_EXPUNGE = enum.auto()  # EXPUNGE may be sent before its tagged response (RFC 9051 §7.5.1)
    REFRESH = enum.auto()  # looks for news in the database first, also for what no notification told


NONE, USES_SEQ, MAY_EXPUNGE, REFRESH = Effects.NONE, Effects.USES_SEQ, Effects.MAY_EXPUNGE, Effects.REFRESH


@dataclass(frozen=True, slots=True)
class Command:
    """One row. The handler gets what `mailraven.imap.GRAMMAR` parsed."""

    run: Callable[[Session, Any], Awaitable[Outcome]]
    states: In
    effects: Effects = MAY_EXPUNGE


_ANY, _STRANGER, _SIGNED_IN, _SELECTED = In.ANY, In.NOT_AUTHENTICATED, In.SIGNED_IN, In.SELECTED

COMMANDS: Mapping[str, Command] = MappingProxyType(
    {
        "CAPABILITY": Command(capability.run, _ANY),
        "NOOP": Command(noop.run, _ANY, MAY_EXPUNGE | REFRESH),
        "LOGOUT": Command(logout.run, _ANY, NONE),
        "ID": Command(identify.run, _ANY),
        "STARTTLS": Command(starttls.run, _STRANGER),
        "LOGIN": Command(login.run, _STRANGER),
        "AUTHENTICATE": Command(authenticate.run, _STRANGER),
        "ENABLE": Command(enable.run, _SIGNED_IN),
        "UNAUTHENTICATE": Command(unauthenticate.run, _SIGNED_IN, NONE),
        "NAMESPACE": Command(namespace.run, _SIGNED_IN),
        "GETQUOTA": Command(quota.run, _SIGNED_IN),
        "GETQUOTAROOT": Command(quota.run_root, _SIGNED_IN),
        "SETQUOTA": Command(quota.run_set, _SIGNED_IN),
        "LIST": Command(list_.run, _SIGNED_IN),
        "LSUB": Command(lsub.run, _SIGNED_IN),
        "STATUS": Command(status.run, _SIGNED_IN),
        "SELECT": Command(select.run, _SIGNED_IN, NONE),
        "EXAMINE": Command(select.run, _SIGNED_IN, NONE),
        "CREATE": Command(create.run, _SIGNED_IN),
        "DELETE": Command(delete.run, _SIGNED_IN),
        "RENAME": Command(rename.run, _SIGNED_IN, MAY_EXPUNGE | REFRESH),
        "SUBSCRIBE": Command(subscribe.run, _SIGNED_IN),
        "UNSUBSCRIBE": Command(subscribe.run, _SIGNED_IN),
        "APPEND": Command(append.run, _SIGNED_IN),
        "IDLE": Command(idle.run, _SIGNED_IN, MAY_EXPUNGE | REFRESH),
        "CHECK": Command(noop.run, _SELECTED, MAY_EXPUNGE | REFRESH),
        "CLOSE": Command(close.run, _SELECTED, NONE),
        "UNSELECT": Command(unselect.run, _SELECTED, NONE),
        "EXPUNGE": Command(expunge.run, _SELECTED),
        "UID EXPUNGE": Command(expunge.run, _SELECTED),
        "FETCH": Command(fetch.run, _SELECTED, USES_SEQ),
        "UID FETCH": Command(fetch.run, _SELECTED),
        "STORE": Command(store.run, _SELECTED, USES_SEQ),
        "UID STORE": Command(store.run, _SELECTED),
        "SEARCH": Command(search.run, _SELECTED, USES_SEQ),
        "UID SEARCH": Command(search.run, _SELECTED),
        "COPY": Command(copy.run, _SELECTED, USES_SEQ | MAY_EXPUNGE),
        "UID COPY": Command(copy.run, _SELECTED),
        "MOVE": Command(move.run, _SELECTED, USES_SEQ | MAY_EXPUNGE),
        "UID MOVE": Command(move.run, _SELECTED),
    }
)
