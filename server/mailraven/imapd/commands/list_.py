"""LIST, basic and extended (RFC 9051 §6.3.9, RFC 5258), special use (RFC 6154), with STATUS (RFC 5819)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mailraven.imap import data
from mailraven.imap.commands.list import List
from mailraven.imap.list_match import Match, matches, parents_of
from mailraven.imapd.commands.status import items
from mailraven.imapd.outcome import Outcome, ok
from mailraven.imapd.session import Session
from mailraven.mailstore import MailboxInfo


async def run(session: Session, arguments: List) -> Outcome:
    """All mailboxes of an account are read in one query; matching is done here."""
    if arguments.patterns == ("",) and not arguments.extended:
        return ok("LIST completed", untagged=data.list_root())
    mailstore = session.services.mailstore
    infos = {info.name: info for info in await mailstore.list_mailboxes(session.account)}
    subscribed: set[str] = set()
    if "SUBSCRIBED" in arguments.select | arguments.returns:
        subscribed = set(await mailstore.subscriptions(session.account))
    listing = _Listing(session, arguments, infos, subscribed, parents_of(infos))
    return ok("LIST completed", untagged=b"".join(listing.lines()))


@dataclass(frozen=True, slots=True)
class _Listing:
    session: Session
    arguments: List
    infos: dict[str, MailboxInfo]
    subscribed: set[str]
    parents: set[str]
    """Names that have a mailbox below them."""

    def lines(self) -> Iterator[bytes]:
        """LIST responses, each followed by its STATUS where that is asked for."""
        chosen = self._chosen()
        arguments = self.arguments
        recursive = "RECURSIVEMATCH" in arguments.select
        above = parents_of(chosen) if recursive else set()
        for match in matches(chosen | above, arguments.reference, arguments.patterns):
            if not match.exists and arguments.select:
                continue  # RFC 5258 §3.1: what is not selected is not listed because of its children
            child_info = ("SUBSCRIBED",) if match.name in above and "SUBSCRIBED" in arguments.select else ()
            yield data.list_entry(match.name, self._attributes(match), child_info=child_info)
            info = self.infos.get(match.name)
            if arguments.status and info is not None:
                yield data.status(info.name, items(self.session, info, arguments.status))

    def _chosen(self) -> set[str]:
        """Names that meet the selection options."""
        select = self.arguments.select
        names = set(self.subscribed) if "SUBSCRIBED" in select else set(self.infos)
        if "SPECIAL-USE" in select:
            names = {name for name in names if name in self.infos and self.infos[name].special_use}
        return names

    def _attributes(self, match: Match) -> list[str]:
        attributes = ["\\HasChildren" if match.name in self.parents else "\\HasNoChildren"]
        info = self.infos.get(match.name)
        if info is None:
            # RFC 5258 §3: \NonExistent implies \Noselect; IMAP4rev1 knows the latter only.
            attributes.insert(0, "\\NonExistent" if self.arguments.extended else "\\Noselect")
        elif info.special_use:
            attributes.append(info.special_use)
        if match.name in self.subscribed:
            attributes.append("\\Subscribed")
        return attributes
