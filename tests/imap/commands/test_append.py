"""APPEND."""

from datetime import UTC, datetime

import pytest

from mailraven.imap.commands.append import Append, Message, parse
from mailraven.imap.errors import SyntaxProblem
from mailraven.imap.flags import Flags
from mailraven.imap.lexer import Lexer, Literal

MAIL = Literal(b"Subject: x\r\n\r\n\xff")


def test_flags_and_date_are_optional() -> None:
    date = b'" 1-Feb-2024 10:00:00 +0000"'
    moment = datetime(2024, 2, 1, 10, tzinfo=UTC)
    for text, message in (
        (b" Sent ", Message(MAIL.octets)),
        (b" Sent (\\Seen $x) ", Message(MAIL.octets, Flags(1, ("$x",)))),
        (b" Sent () ", Message(MAIL.octets)),
        (b" Sent " + date + b" ", Message(MAIL.octets, internal_date=moment)),
        (b" Sent (\\Draft) " + date + b" ", Message(MAIL.octets, Flags(16), moment)),
    ):
        assert parse(Lexer([text, b""], [MAIL])) == Append("Sent", (message,))


def test_several_messages_and_a_literal_mailbox() -> None:
    lines = [b" ", b" ", b" (\\Seen) ", b""]
    parsed = parse(Lexer(lines, [Literal(b"inbox"), MAIL, Literal(b"b\0", binary=True)]))
    assert parsed == Append("INBOX", (Message(MAIL.octets), Message(b"b\0", Flags(1))))


@pytest.mark.parametrize(
    ("lines", "literals"),
    [
        ([b" INBOX"], []),
        ([b' INBOX "a quoted message"'], []),
        ([b" INBOX atom"], []),
        ([b" INBOX", b""], [MAIL]),
        ([b" INBOX  ", b""], [MAIL]),
        ([b" INBOX ", b" "], [MAIL]),
        ([b" INBOX ", b"x"], [MAIL]),
        ([b" INBOX (\\Recent) ", b""], [MAIL]),
        ([b" INBOX (\\Seen)", b""], [MAIL]),
        ([b' INBOX "31-Apr-2024 00:00:00 +0000" ', b""], [MAIL]),
        ([b' INBOX " 1-Feb-2024 10:00:00 +0000" (\\Seen) ', b""], [MAIL]),
        ([b" INBOX ", b""], [Literal(b"a\0b")]),
        ([b" INBOX (" + b" ".join([b"x"] * 201) + b") ", b""], [MAIL]),
        ([b" INBOX ", *[b" "] * 1000, b""], [MAIL] * 1001),
    ],
)
def test_what_is_no_append(lines: list[bytes], literals: list[Literal]) -> None:
    with pytest.raises(SyntaxProblem):
        parse(Lexer(lines, literals))
