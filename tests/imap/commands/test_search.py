"""SEARCH: every key, nesting, charsets and limits."""

from datetime import date

import pytest

from mailraven.imap.commands import search
from mailraven.imap.commands.search import Search
from mailraven.imap.errors import BadCharset, SyntaxProblem
from mailraven.imap.lexer import Lexer, Literal
from mailraven.imap.search_keys import (
    All,
    And,
    Body,
    Date,
    EmailId,
    Flag,
    Header,
    Key,
    ModSeq,
    Not,
    Or,
    Recent,
    Sequence,
    Size,
    Text,
    Uids,
    Within,
)
from mailraven.imap.sequence_set import SequenceSet


def program(text: bytes) -> Key:
    """Of a SEARCH with this text."""
    return search.parse(Lexer([b" " + text])).program


DAY = date(2024, 2, 1)
SEEN = Flag("\\Seen", present=True)
SINGLE_KEYS = [
    (b"ALL", All()),
    (b"answered", Flag("\\Answered", present=True)),
    (b"DELETED", Flag("\\Deleted", present=True)),
    (b"DRAFT", Flag("\\Draft", present=True)),
    (b"FLAGGED", Flag("\\Flagged", present=True)),
    (b"SEEN", SEEN),
    (b"UNANSWERED", Flag("\\Answered", present=False)),
    (b"UNDELETED", Flag("\\Deleted", present=False)),
    (b"UNDRAFT", Flag("\\Draft", present=False)),
    (b"UNFLAGGED", Flag("\\Flagged", present=False)),
    (b"UNSEEN", Flag("\\Seen", present=False)),
    (b"KEYWORD $x", Flag("$x", present=True)),
    (b"UNKEYWORD $x", Flag("$x", present=False)),
    (b"RECENT", Recent(present=True)),
    (b"OLD", Recent(present=False)),
    (b"NEW", And((Recent(present=True), Flag("\\Seen", present=False)))),
    (b"BCC a", Header("Bcc", "a")),
    (b"CC a", Header("Cc", "a")),
    (b"FROM a", Header("From", "a")),
    (b"SUBJECT a", Header("Subject", "a")),
    (b"TO a", Header("To", "a")),
    (b'HEADER X-Spam ""', Header("X-Spam", "")),
    (b'BODY "%_\\\\"', Body("%_\\")),
    (b"TEXT NIL", Text("NIL")),
    (b"BEFORE 1-Feb-2024", Date("internal", "before", DAY)),
    (b'ON "01-Feb-2024"', Date("internal", "on", DAY)),
    (b"SINCE 1-feb-2024", Date("internal", "since", DAY)),
    (b"SENTBEFORE 1-Feb-2024", Date("sent", "before", DAY)),
    (b"SENTON 1-Feb-2024", Date("sent", "on", DAY)),
    (b"SENTSINCE 1-Feb-2024", Date("sent", "since", DAY)),
    (b"LARGER 0", Size("larger", 0)),
    (b"SMALLER 99999999999", Size("smaller", 99999999999)),
    (b"OLDER 60", Within("older", 60)),
    (b"YOUNGER 60", Within("younger", 60)),
    (b"MODSEQ 620162338", ModSeq(620162338)),
    (b'MODSEQ "/flags/\\\\draft" all 620162338', ModSeq(620162338)),
    (b"EMAILID M6d99ac3275bb4e", EmailId("M6d99ac3275bb4e")),
    (b"UID 1:*", Uids(SequenceSet(((1, 0),)))),
    (b"1,3:5", Sequence(SequenceSet(((1, 1), (3, 5))))),
    (b"*", Sequence(SequenceSet(((0, 0),)))),
    (b"$", Sequence(SequenceSet(saved=True))),
]


@pytest.mark.parametrize(("text", "key"), SINGLE_KEYS)
def test_each_key(text: bytes, key: Key) -> None:
    assert program(text) == key
    assert program(b"NOT " + text) == Not(key)
    assert program(b"(SEEN " + text + b")") == And((SEEN, key))
    assert program(b"OR SEEN " + text) == Or((SEEN, key))
    for broken in (text + b" ", text + b")", b"(" + text, text + b" x", b" " + text, b"OR " + text, b"NOT"):
        with pytest.raises(SyntaxProblem):
            program(broken)


def test_keys_in_a_row_are_all_meant() -> None:
    assert program(b"ALL SEEN 1") == And((All(), SEEN, Sequence(SequenceSet(((1, 1),)))))
    assert search.parse_uid(Lexer([b" ALL"])) == Search(All(), uid=True)


def test_chains_of_or_and_not_are_flat() -> None:
    flat = Or((All(), SEEN, Recent(present=True)))
    assert program(b"OR ALL OR SEEN RECENT") == program(b"OR OR ALL SEEN RECENT") == flat
    assert program(b"NOT NOT SEEN") == SEEN
    assert program(b"NOT NOT NOT SEEN") == Not(SEEN)
    assert program(b"OR NOT OR ALL SEEN RECENT") == Or((Not(Or((All(), SEEN))), Recent(present=True)))
    right = program(b"OR HEADER Message-ID a " * 400 + b"ALL")
    left = program(b"OR " * 400 + b"ALL" + b" HEADER Message-ID a" * 400)
    assert isinstance(right, Or)
    assert isinstance(left, Or)
    assert len(right.keys) == len(left.keys) == 401


def test_nesting_and_number_of_keys_have_limits() -> None:
    assert program(b"(" * 50 + b"ALL" + b")" * 50) == All()
    for text in (
        b"(" * 51 + b"ALL" + b")" * 51,
        b"(" * 30_000,
        b"NOT (" * 26 + b"ALL" + b")" * 26,
        b"NOT OR ALL " * 30 + b"ALL",
        b"ALL " * 1000 + b"ALL",
        b"NOT " * 1001 + b"ALL",
        b"OR " * 16_000,
        b"OR ALL " * 1001 + b"ALL",
        b"(" + b"ALL " * 1000 + b"ALL)",
    ):
        with pytest.raises(SyntaxProblem):
            program(text)


def test_charsets() -> None:
    assert program(b"CHARSET utf-8 TEXT ascii") == Text("ascii")
    assert program('CHARSET "UTF-8" TEXT "Grüße"'.encode()) == Text("Grüße")
    latin = Lexer([b" charset ISO-8859-1 SUBJECT ", b""], [Literal(b"Gr\xfc\xdfe")])
    assert search.parse(latin).program == Header("Subject", "Grüße")
    utf8 = Lexer([b" SUBJECT ", b""], [Literal("Grüße".encode())])
    assert search.parse(utf8).program == Header("Subject", "Grüße")


def test_what_is_not_in_its_charset_is_a_syntax_error() -> None:
    for command in (b" SUBJECT ", b" CHARSET US-ASCII SUBJECT ", b" CHARSET UTF-8 SUBJECT "):
        with pytest.raises(SyntaxProblem, match="a search string is not"):
            search.parse(Lexer([command, b""], [Literal(b"\xff")]))


def test_an_unknown_charset_has_its_own_answer() -> None:
    for name in (b"X-UNKNOWN", b'"rot13"'):
        with pytest.raises(BadCharset):
            program(b"CHARSET " + name + b" ALL")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"CHARSET",
        b"CHARSET UTF-8",
        b"CHARSET UTF-8 ",
        b"FOO",
        b"()",
        b"KEYWORD \\Seen",
        b"UID",
        b"UID x",
        b"SINCE 2024-02-01",
        b"LARGER -1",
        b"LARGER 9223372036854775808",
        b"OLDER 0",
        b"HEADER a",
        b"0",
        b"1:0",
        b"4294967296",
        b'MODSEQ "/x" all 1',
        b'MODSEQ "/flags/a" none 1',
        b"UNRECENT",
        b"TEXT {3}",
    ],
)
def test_what_is_no_search(text: bytes) -> None:
    with pytest.raises(SyntaxProblem):
        program(text)
