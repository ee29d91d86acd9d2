"""Everything that delivery stores about a message, computed once (RFC 9051 §7.5.2)."""

import re
from dataclasses import dataclass
from datetime import datetime

from mailraven.message.address import MISSING_DOMAIN, MISSING_LOCALPART, read_addresses
from mailraven.message.date import parse_date
from mailraven.message.envelope import render_envelope
from mailraven.message.header import unfold
from mailraven.message.limits import Budget
from mailraven.message.structure import render_structure
from mailraven.message.tree import parse_within
from mailraven.message.words import decode_words, fold

# RFC 5322 §2.1.1: a line has at most 998 characters, and msg-id cannot be folded.
_MAX_MESSAGE_ID = 998

_TORN = re.compile(rb"\s@|@\s")
_TORN_ADDRESSES = 100  # each is looked for in the whole field


@dataclass(frozen=True, slots=True)
class Summary:
    envelope: bytes
    bodystructure: bytes  # the extensible form; body_wire() makes BODY of it
    sent_at: datetime | None
    message_id: str
    # decoded and folded
    subject: str
    from_: str
    to: str
    cc: str
    bcc: str


def summarize(raw: bytes) -> Summary:
    """Never raises."""
    budget = Budget()
    tree = parse_within(raw, budget)
    fields = tree.fields
    get = fields.get
    date = get(b"date")
    return Summary(
        render_envelope(fields, budget),
        render_structure(tree, budget),
        parse_date(date) if date is not None else None,
        get(b"message-id", b"").decode("utf-8", "replace")[:_MAX_MESSAGE_ID],
        _searchable(get(b"subject")),
        _searchable_addresses(get(b"from")),
        _searchable_addresses(get(b"to")),
        _searchable_addresses(get(b"cc")),
        _searchable_addresses(get(b"bcc")),
    )


def _searchable(value: bytes | None) -> str:
    return fold(decode_words(value)) if value else ""


def _searchable_addresses(value: bytes | None) -> str:
    """The field as written; where comments or white space tear an address apart, the address in one piece as well."""
    text = _searchable(value)
    if value and (b"(" in value or _TORN.search(value)):
        for one in read_addresses(unfold(value), _TORN_ADDRESSES):
            if one.localpart and one.domain and one.localpart != MISSING_LOCALPART and one.domain != MISSING_DOMAIN:
                whole = fold(b"@".join((one.localpart, one.domain)).decode("utf-8", "replace"))
                if whole not in text:
                    text += " " + whole
    return text
