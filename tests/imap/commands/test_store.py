"""STORE."""

import pytest

from mailraven.imap.commands.store import Store, parse, parse_uid
from mailraven.imap.errors import SyntaxProblem
from mailraven.imap.flags import Flags
from mailraven.imap.lexer import Lexer
from mailraven.imap.sequence_set import SequenceSet

ONE = SequenceSet(((1, 1),))


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        (b"FLAGS (\\Seen)", Store(ONE, "replace", Flags(1))),
        (b"flags ()", Store(ONE, "replace", Flags())),
        (b"+FLAGS \\Seen $x", Store(ONE, "add", Flags(1, ("$x",)))),
        (b"-FLAGS.SILENT (\\deleted)", Store(ONE, "remove", Flags(8), silent=True)),
        (b"FLAGS.SILENT a", Store(ONE, "replace", Flags(0, ("a",)), silent=True)),
    ],
)
def test_store(text: bytes, parsed: Store) -> None:
    assert parse(Lexer([b" 1 " + text])) == parsed
    assert parse_uid(Lexer([b" 1 " + text])).uid


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"FLAGS",
        b"FLAGS ",
        b"*FLAGS (a)",
        b"++FLAGS a",
        b"+ FLAGS a",
        b"FLAGS.LOUD a",
        b"FLAGS (a",
        b"FLAGS a)",
        b"FLAGS (a) b",
        b"FLAGS \\Recent",
        b"FLAGS \\*",
        b'FLAGS "a"',
        b"FLAGS (a  b)",
        b"FLAGS " + b"x" * 101,
    ],
)
def test_what_is_no_store(text: bytes) -> None:
    with pytest.raises(SyntaxProblem):
        parse(Lexer([b" 1 " + text]))
