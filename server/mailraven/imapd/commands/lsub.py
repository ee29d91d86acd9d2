"""LSUB (RFC 3501 §6.3.9)."""

from __future__ import annotations

from mailraven.imap import data
from mailraven.imap.commands.lsub import Lsub
from mailraven.imap.list_match import matches
from mailraven.imapd.outcome import Outcome, ok
from mailraven.imapd.session import Session


async def run(session: Session, arguments: Lsub) -> Outcome:
    r"""Subscribed names; a level above one that only `%` finds is \Noselect."""
    if not arguments.pattern:
        return ok("LSUB completed", untagged=data.list_root(kind="LSUB"))
    names = await session.services.mailstore.subscriptions(session.account)
    lines = [
        data.list_entry(match.name, () if match.exists else ("\\Noselect",), kind="LSUB")
        for match in matches(names, arguments.reference, (arguments.pattern,))
    ]
    return ok("LSUB completed", untagged=b"".join(lines))
