"""FETCH responses."""

import time
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from mailraven.imap.commands import fetch
from mailraven.imap.commands.fetch import BodyItem, Item
from mailraven.imap.fetch_data import FetchRenderer, FlagLists, flags_response
from mailraven.imap.flags import RECENT
from mailraven.imap.lexer import Lexer


class Static(NamedTuple):
    """As mailstore's Items."""

    size: int
    internal_date: datetime
    envelope: bytes
    bodystructure: bytes
    email_id: int
    saved_at: datetime


DAY = datetime(2024, 2, 1, 3, 4, 5, tzinfo=UTC)
STATIC = Static(42, DAY, b'("100% env")', b'("TEXT" "PLAIN" NIL)', 31, DAY + timedelta(days=1))


def renderer(items: bytes, keywords: tuple[str, ...] = ("$x",)) -> FetchRenderer:
    """For a FETCH of these items."""
    parsed = fetch.parse(Lexer([b" 1 " + items]))
    return FetchRenderer(parsed.items, keywords, lambda structure: structure.lower())


def test_all_items_of_a_message() -> None:
    rows = renderer(
        b"(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY MODSEQ EMAILID THREADID SAVEDATE)"
    )
    assert rows.needs_static
    assert rows.rows([7], [9], [1 | 1 << 5 | RECENT], [55], [STATIC]) == [
        b"* 7 FETCH (UID 9 FLAGS (\\Seen $x \\Recent) "
        b'INTERNALDATE " 1-Feb-2024 03:04:05 +0000" RFC822.SIZE 42 ENVELOPE ("100% env") '
        b'BODYSTRUCTURE ("TEXT" "PLAIN" NIL) BODY ("text" "plain" nil) MODSEQ (55) EMAILID (M31) THREADID NIL '
        b'SAVEDATE " 2-Feb-2024 03:04:05 +0000")\r\n'
    ]


def test_flags_need_nothing_of_the_store() -> None:
    rows = renderer(b"(FLAGS UID)")
    assert not rows.needs_static
    assert rows.rows(range(1, 3), [5, 6], [0, 8], [7, 7]) == [
        b"* 1 FETCH (FLAGS () UID 5)\r\n",
        b"* 2 FETCH (FLAGS (\\Deleted) UID 6)\r\n",
    ]
    assert rows.rows([], [], [], []) == []


def test_octets_of_messages_are_literals_and_a_missing_part_is_nil() -> None:
    rows = renderer(b'(UID BODY.PEEK[1] BODY[HEADER.FIELDS (Subject "%s")]<5.7> RFC822)')
    labels = [item.label for item in rows.bodies]
    assert labels == [b"BODY[1]", b'BODY[HEADER.FIELDS (Subject "%s")]<5>', b"RFC822"]
    (head,) = rows.heads([1], [2], [0], [1])
    big = bytes(100_000)
    pieces = rows.response(head, [None, b"ab\r\n", big])
    assert b"".join(pieces) == (
        b'* 1 FETCH (UID 2 BODY[1] NIL BODY[HEADER.FIELDS (Subject "%s")]<5> {4}\r\nab\r\n RFC822 {100000}\r\n'
        + big
        + b")\r\n"
    )
    assert any(piece is big for piece in pieces)


def test_a_body_alone() -> None:
    rows = renderer(b"BODY[]")
    (head,) = rows.heads([3], [2], [0], [1])
    assert b"".join(rows.response(head, [b""])) == b"* 3 FETCH (BODY[] {0}\r\n)\r\n"


def test_unasked_flags() -> None:
    lists = FlagLists(["a"])
    assert flags_response(3, lists[1]) == b"* 3 FETCH (FLAGS (\\Seen))\r\n"
    assert flags_response(3, lists[1 << 5], uid=8) == b"* 3 FETCH (UID 8 FLAGS (a))\r\n"
    assert flags_response(3, lists[1], 8, 5) == b"* 3 FETCH (UID 8 FLAGS (\\Seen) MODSEQ (5))\r\n"
    assert flags_response(3, None, None, 5) == b"* 3 FETCH (MODSEQ (5))\r\n"
    assert set(lists) == {1, 1 << 5}


def test_every_item_has_a_column() -> None:
    rows = FetchRenderer(list(Item), (), bytes)
    assert all(item.encode() in rows.rows([1], [1], [0], [1], [STATIC])[0] for item in Item)
    assert not any(isinstance(item, BodyItem) for item in rows.bodies)


def test_ten_thousand_rows_take_little_time() -> None:
    rows = renderer(b"(FLAGS UID ENVELOPE BODYSTRUCTURE INTERNALDATE RFC822.SIZE)")
    statics = [STATIC._replace(internal_date=STATIC.internal_date + timedelta(minutes=7 * n)) for n in range(10_000)]
    best = 9.0
    for _ in range(3):
        started = time.process_time()
        masks = [n & 31 for n in range(10_000)]
        assert len(rows.rows(range(1, 10_001), range(1, 10_001), masks, masks, statics)) == 10_000
        best = min(best, time.process_time() - started)
    assert best < 0.1  # 10 ms when nothing else runs
