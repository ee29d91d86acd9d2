"""FETCH: every item, macros, partials."""

import pytest

from mailraven.imap.commands import fetch
from mailraven.imap.commands.fetch import BodyItem, FetchItem, Item
from mailraven.imap.errors import SyntaxProblem
from mailraven.imap.lexer import Lexer
from mailraven.imap.sequence_set import SequenceSet
from mailraven.message.section import Section


def items(text: bytes) -> tuple[FetchItem, ...]:
    """Of a FETCH with this text."""
    return fetch.parse(Lexer([b" 1 " + text])).items


def test_items_and_macros() -> None:
    assert items(b"FLAGS") == items(b"(flags)") == (Item.FLAGS,)
    assert items(b"FAST") == (Item.FLAGS, Item.INTERNALDATE, Item.RFC822_SIZE)
    assert items(b"all") == (*items(b"FAST"), Item.ENVELOPE)
    assert items(b"FULL") == (*items(b"ALL"), Item.BODY)
    assert items(b"(UID ENVELOPE BODYSTRUCTURE BODY INTERNALDATE RFC822.SIZE)") == (
        Item.UID,
        Item.ENVELOPE,
        Item.BODYSTRUCTURE,
        Item.BODY,
        Item.INTERNALDATE,
        Item.RFC822_SIZE,
    )
    assert items(b"(UID UID FLAGS UID)") == (Item.UID, Item.FLAGS)


def test_sections() -> None:
    header = Section((), "HEADER", ())
    assert items(b"(BODY[] BODY.PEEK[1.2] body.peek[header]<0.10>)") == (
        BodyItem(Section((), None, ()), peek=False),
        BodyItem(Section((1, 2), None, ()), peek=True, label=b"BODY[1.2]"),
        BodyItem(header, peek=True, partial=(0, 10), label=b"BODY[HEADER]<0>"),
    )
    assert items(b"BODY[HEADER.FIELDS.NOT (a b)]") == (
        BodyItem(Section((), "HEADER.FIELDS.NOT", ("a", "b")), peek=False, label=b"BODY[HEADER.FIELDS.NOT (a b)]"),
    )


def test_rfc822_items_are_sections_with_their_own_label() -> None:
    assert items(b"(RFC822 RFC822.HEADER RFC822.TEXT)") == (
        BodyItem(Section((), None, ()), peek=False, label=b"RFC822"),
        BodyItem(Section((), "HEADER", ()), peek=True, label=b"RFC822.HEADER"),
        BodyItem(Section((), "TEXT", ()), peek=False, label=b"RFC822.TEXT"),
    )


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        (b"BODY[]", True),
        (b"BODY.PEEK[]", False),
        (b"RFC822", True),
        (b"RFC822.TEXT", True),
        (b"RFC822.HEADER", False),
        (b"FULL", False),
        (b"(BODY.PEEK[] BODY[1])", True),
    ],
)
def test_what_sets_seen(text: bytes, seen: bool) -> None:
    assert fetch.parse(Lexer([b" 1 " + text])).sets_seen is seen


def test_uid_fetch_always_has_the_uid() -> None:
    assert fetch.parse_uid(Lexer([b" 5:* FLAGS"])) == fetch.Fetch(
        SequenceSet(((5, 0),)), (Item.UID, Item.FLAGS), uid=True
    )
    assert fetch.parse_uid(Lexer([b" 5 (FLAGS UID)"])).items == (Item.FLAGS, Item.UID)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"()",
        b"(FLAGS",
        b"FLAGS UID",
        b"(ALL)",
        b"(FAST UID)",
        b"FOO",
        b"BODY.PEEK",
        b"BODYSTRUCTURE[]",
        b"UID[]",
        b"BODY[]<>",
        b"BODY[]<1>",
        b"BODY[]<1.0>",
        b"BODY[]<1.2",
        b"BODY[]<-1.2>",
        b"BODY[]<4294967296.1>",
        b"BODY []",
        b"BODY[] <0.1>",
        b"RFC822.FOO",
        b"(FLAGS  UID)",
        b"(FLAGS )",
        b"FLAGS ",
        b'"FLAGS"',
        b"(" + b" ".join([b"UID"] * 501) + b")",
        b"(" * 100 + b"UID" + b")" * 100,
    ],
)
def test_what_is_no_fetch(text: bytes) -> None:
    with pytest.raises(SyntaxProblem):
        items(text)
