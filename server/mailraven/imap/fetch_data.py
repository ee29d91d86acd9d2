"""FETCH responses (RFC 9051 §7.5.2), the hot path: items are compiled once into a template and columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import repeat
from operator import attrgetter
from typing import Protocol

from mailraven.imap.commands.fetch import BodyItem, FetchItem, Item
from mailraven.imap.datetimes import DateTimes
from mailraven.imap.flags import flag_names


class StaticItems(Protocol):
    """What never changes about a message; mailstore's Items has this shape."""

    @property
    def size(self) -> int:
        """RFC822.SIZE."""

    @property
    def internal_date(self) -> datetime:
        """Aware."""

    @property
    def envelope(self) -> bytes:
        """Wire form."""

    @property
    def bodystructure(self) -> bytes:
        """Wire form, extensible."""

    @property
    def email_id(self) -> int:
        """Equal for equal octets that came in together (RFC 8474 §5.1)."""

    @property
    def saved_at(self) -> datetime:
        """When it came into this mailbox (RFC 8514), aware."""


class FlagLists(dict[int, bytes]):
    """Mask -> `(\\Seen $Forwarded)`, made once for each mask that occurs in a mailbox with these keywords."""

    def __init__(self, keywords: Sequence[str]) -> None:
        super().__init__()
        self._keywords = keywords

    def __missing__(self, mask: int) -> bytes:
        rendered = b"(%b)" % " ".join(flag_names(mask, self._keywords)).encode("ascii")
        self[mask] = rendered
        return rendered


_OF_THE_VIEW = frozenset({Item.FLAGS, Item.UID, Item.MODSEQ})
_FORMS = {
    Item.UID: b"UID %d",
    Item.RFC822_SIZE: b"RFC822.SIZE %d",
    Item.MODSEQ: b"MODSEQ (%d)",
    Item.EMAILID: b"EMAILID (M%d)",
}


class FetchRenderer:
    """Renders FETCH responses for one list of items.

    Rows go in as parallel sequences, so that the work on each value is done in C. `body_wire` makes BODY from the
    wire form of BODYSTRUCTURE (mailraven.message).
    """

    def __init__(
        self, items: Sequence[FetchItem], keywords: Sequence[str], body_wire: Callable[[bytes], bytes]
    ) -> None:
        self.bodies = tuple(item for item in items if isinstance(item, BodyItem))
        """Items whose octets the caller brings to `response`, in this order."""
        self.needs_static = any(isinstance(item, Item) and item not in _OF_THE_VIEW for item in items)
        """Whether `statics` are looked at; if not, leave them out."""
        self._items = tuple(item for item in items if isinstance(item, Item))
        self._flag_lists = FlagLists(keywords)
        self._date_times = DateTimes()
        self._body_wire = body_wire
        inner = b" ".join(_FORMS.get(item, item.encode("ascii") + b" %b") for item in self._items)
        self._row = b"* %d FETCH (" + inner + b")\r\n"
        self._head = b"* %d FETCH (" + inner + (b" " if inner else b"")

    def rows(
        self,
        sequence_numbers: Iterable[int],
        uids: Iterable[int],
        masks: Iterable[int],
        modseqs: Iterable[int],
        statics: Sequence[StaticItems] = (),
    ) -> list[bytes]:
        """Complete responses, one for each message: for items without octets of the message."""
        return self._render(self._row, sequence_numbers, uids, masks, modseqs, statics)

    def heads(
        self,
        sequence_numbers: Iterable[int],
        uids: Iterable[int],
        masks: Iterable[int],
        modseqs: Iterable[int],
        statics: Sequence[StaticItems] = (),
    ) -> list[bytes]:
        """Everything before the octets, one for each message; `response` makes responses of them."""
        return self._render(self._head, sequence_numbers, uids, masks, modseqs, statics)

    def response(self, head: bytes, octets: Sequence[bytes | memoryview | None]) -> list[bytes | memoryview]:
        """One response in pieces, so that large octets are not copied. None: there is no such part, NIL."""
        pieces: list[bytes | memoryview] = []
        before = head
        for item, part in zip(self.bodies, octets, strict=True):
            if part is None:
                pieces.append(b"%b%b NIL" % (before, item.label))
            else:
                # Octets of a message always go as a literal: then nobody has to look at them.
                pieces.append(b"%b%b {%d}\r\n" % (before, item.label, len(part)))
                pieces.append(part)
            before = b" "
        pieces.append(b")\r\n")
        return pieces

    def _render(
        self,
        template: bytes,
        sequence_numbers: Iterable[int],
        uids: Iterable[int],
        masks: Iterable[int],
        modseqs: Iterable[int],
        statics: Sequence[StaticItems],
    ) -> list[bytes]:
        columns = [self._column(item, uids, masks, modseqs, statics) for item in self._items]
        return [template % row for row in zip(sequence_numbers, *columns, strict=True)]

    def _column(
        self,
        item: Item,
        uids: Iterable[int],
        masks: Iterable[int],
        modseqs: Iterable[int],
        statics: Sequence[StaticItems],
    ) -> Iterable[object]:
        if item is Item.UID:
            return uids
        if item is Item.MODSEQ:
            return modseqs
        if item is Item.EMAILID:
            return map(attrgetter("email_id"), statics)
        if item is Item.THREADID:
            return repeat(b"NIL", len(statics))
        if item is Item.SAVEDATE:
            return map(self._date_times.render, map(attrgetter("saved_at"), statics))
        if item is Item.FLAGS:
            return map(self._flag_lists.__getitem__, masks)
        if item is Item.INTERNALDATE:
            return map(self._date_times.render, map(attrgetter("internal_date"), statics))
        if item is Item.RFC822_SIZE:
            return map(attrgetter("size"), statics)
        if item is Item.ENVELOPE:
            return map(attrgetter("envelope"), statics)
        structures = map(attrgetter("bodystructure"), statics)
        return structures if item is Item.BODYSTRUCTURE else map(self._body_wire, structures)


def flags_response(
    sequence_number: int, flags: bytes | None, uid: int | None = None, modseq: int | None = None
) -> bytes:
    """A FETCH with the flags of one message (RFC 9051 §7.5.2), `flags` from FlagLists; what is None is left out."""
    items = []
    if uid is not None:
        items.append(b"UID %d" % uid)
    if flags is not None:
        items.append(b"FLAGS %b" % flags)
    if modseq is not None:
        items.append(b"MODSEQ (%d)" % modseq)
    return b"* %d FETCH (%b)\r\n" % (sequence_number, b" ".join(items))
