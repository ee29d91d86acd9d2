"""The grammar table: a command's name -> how its arguments are parsed. A new command is a file and a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from mailraven.imap.commands import (
    append,
    authenticate,
    bare,
    copy,
    create,
    delete,
    enable,
    expunge,
    fetch,
    id,
    idle,
    list,
    login,
    lsub,
    move,
    quota,
    rename,
    search,
    select,
    status,
    store,
    subscribe,
)
from mailraven.imap.lexer import Lexer

Arguments = (
    append.Append
    | authenticate.Authenticate
    | bare.Bare
    | copy.Copy
    | create.Create
    | delete.Delete
    | enable.Enable
    | expunge.Expunge
    | fetch.Fetch
    | id.Id
    | idle.Idle
    | list.List
    | login.Login
    | lsub.Lsub
    | move.Move
    | quota.GetQuota
    | quota.GetQuotaRoot
    | quota.SetQuota
    | rename.Rename
    | search.Search
    | select.Select
    | status.Status
    | store.Store
    | subscribe.Subscribe
)

GRAMMAR: Mapping[str, Callable[[Lexer], Arguments]] = MappingProxyType(
    {
        "APPEND": append.parse,
        "AUTHENTICATE": authenticate.parse,
        "CAPABILITY": bare.parse,
        "CHECK": bare.parse,
        "CLOSE": bare.parse,
        "COPY": copy.parse,
        "CREATE": create.parse,
        "DELETE": delete.parse,
        "ENABLE": enable.parse,
        "EXAMINE": select.parse_examine,
        "EXPUNGE": expunge.parse,
        "FETCH": fetch.parse,
        "GETQUOTA": quota.parse,
        "GETQUOTAROOT": quota.parse_root,
        "ID": id.parse,
        "IDLE": idle.parse,
        "LIST": list.parse,
        "LOGIN": login.parse,
        "LOGOUT": bare.parse,
        "LSUB": lsub.parse,
        "MOVE": move.parse,
        "NAMESPACE": bare.parse,
        "NOOP": bare.parse,
        "RENAME": rename.parse,
        "SEARCH": search.parse,
        "SELECT": select.parse,
        "SETQUOTA": quota.parse_set,
        "STARTTLS": bare.parse,
        "STATUS": status.parse,
        "STORE": store.parse,
        "SUBSCRIBE": subscribe.parse,
        "UID COPY": copy.parse_uid,
        "UID EXPUNGE": expunge.parse_uid,
        "UID FETCH": fetch.parse_uid,
        "UID MOVE": move.parse_uid,
        "UID SEARCH": search.parse_uid,
        "UID STORE": store.parse_uid,
        "UNAUTHENTICATE": bare.parse,
        "UNSELECT": bare.parse,
        "UNSUBSCRIBE": subscribe.parse_unsubscribe,
    }
)
"""Commands in capitals. Each function raises SyntaxProblem (SEARCH also BadCharset) and leaves nothing unread."""
