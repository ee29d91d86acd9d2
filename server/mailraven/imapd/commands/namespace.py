"""NAMESPACE (RFC 2342): one personal namespace without a prefix."""

from __future__ import annotations

from mailraven.imap import data
from mailraven.imap.commands.bare import Bare
from mailraven.imapd.outcome import Outcome, ok
from mailraven.imapd.session import Session


async def run(_session: Session, _: Bare) -> Outcome:
    """The same for everybody until mailboxes can be shared."""
    return ok("NAMESPACE completed", untagged=data.namespace())
