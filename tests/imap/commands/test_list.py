"""LIST, basic and extended."""

import pytest

from mailraven.imap.commands.list import List, parse
from mailraven.imap.errors import SyntaxProblem
from mailraven.imap.lexer import Lexer


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        (b'"" *', List("", ("*",))),
        (b'"" ""', List("", ("",))),
        (b"Work/ %", List("Work/", ("%",))),
        (b'"" "Entw&APw-%"', List("", ("Entwü%",))),
        (b'(SUBSCRIBED) "" *', List("", ("*",), frozenset({"SUBSCRIBED"}), extended=True)),
        (b'() "" *', List("", ("*",), extended=True)),
        (b'"" (INBOX "a b" *)', List("", ("INBOX", "a b", "*"), extended=True)),
        (
            b'"" * return (children Special-Use)',
            List("", ("*",), returns=frozenset({"CHILDREN", "SPECIAL-USE"}), extended=True),
        ),
        (b'"" * RETURN ()', List("", ("*",), extended=True)),
        (
            b'(RECURSIVEMATCH SUBSCRIBED) "" % RETURN (STATUS (MESSAGES UNSEEN) SUBSCRIBED)',
            List(
                "",
                ("%",),
                frozenset({"RECURSIVEMATCH", "SUBSCRIBED"}),
                frozenset({"STATUS", "SUBSCRIBED"}),
                ("MESSAGES", "UNSEEN"),
                extended=True,
            ),
        ),
    ],
)
def test_list(text: bytes, parsed: List) -> None:
    assert parse(Lexer([b" " + text])) == parsed


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b'""',
        b'"" ',
        b'"" * *',
        b'"" ()',
        b'"" * RETURN',
        b'"" * RETURN CHILDREN',
        b'"" * RETURN (FOO)',
        b'(FOO) "" *',
        b'(RECURSIVEMATCH) "" *',
        b'(RECURSIVEMATCH REMOTE) "" *',
        b'"" * RETURN (STATUS)',
        b'"" * RETURN (STATUS ())',
        b'"" * GIVE (CHILDREN)',
        b'"" "&"',
        b'"" ' + b"*" * 1001,
        b'"" (' + b" ".join([b"*"] * 101) + b")",
    ],
)
def test_what_is_no_list(text: bytes) -> None:
    with pytest.raises(SyntaxProblem):
        parse(Lexer([b" " + text]))
