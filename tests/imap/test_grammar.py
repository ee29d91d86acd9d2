"""The table of commands: each accepts its examples, nothing more, and fails in one way only."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailraven.imap.commands.bare import Bare
from mailraven.imap.commands.copy import Copy
from mailraven.imap.commands.create import Create
from mailraven.imap.commands.delete import Delete
from mailraven.imap.commands.enable import Enable
from mailraven.imap.commands.expunge import Expunge
from mailraven.imap.commands.id import Id
from mailraven.imap.commands.idle import Idle, is_done
from mailraven.imap.commands.lsub import Lsub
from mailraven.imap.commands.move import Move
from mailraven.imap.commands.rename import Rename
from mailraven.imap.commands.select import Select
from mailraven.imap.commands.status import Status
from mailraven.imap.commands.subscribe import Subscribe
from mailraven.imap.errors import BadCharset, SyntaxProblem
from mailraven.imap.grammar import GRAMMAR, Arguments
from mailraven.imap.lexer import Lexer
from mailraven.imap.limits import Limits
from mailraven.imap.receiver import NeedLiteral, NeedMore, Received, Receiver
from mailraven.imap.sequence_set import SequenceSet

SET = SequenceSet(((1, 3), (5, 0)))
EXAMPLES: list[tuple[str, bytes, Arguments]] = [
    *[
        (name, b"", Bare())
        for name in ("CAPABILITY", "NOOP", "LOGOUT", "STARTTLS", "CHECK", "CLOSE", "UNSELECT", "NAMESPACE")
    ],
    ("IDLE", b"", Idle()),
    ("ENABLE", b" condstore X-foo CONDSTORE", Enable(("CONDSTORE", "X-FOO"))),
    ("ID", b" NIL", Id()),
    ("ID", b" ()", Id()),
    ("ID", b' ("name" "mutt" "os" nil)', Id((("name", "mutt"), ("os", None)))),
    ("SELECT", b" inbox", Select("INBOX")),
    ("EXAMINE", b' "a b"', Select("a b", read_only=True)),
    ("CREATE", b" a/b/", Create("a/b")),
    ("CREATE", b" Bin (USE (\\trash))", Create("Bin", ("\\Trash",))),
    ("CREATE", b" x (use ())", Create("x")),
    ("CREATE", b" x (USE (\\Foo \\Sent))", Create("x", ("\\Foo", "\\Sent"))),
    ("DELETE", b" a", Delete("a")),
    ("RENAME", b" inbox old", Rename("INBOX", "old")),
    ("SUBSCRIBE", b" a", Subscribe("a")),
    ("UNSUBSCRIBE", b" a", Subscribe("a", subscribed=False)),
    ("LSUB", b' "" %', Lsub("", "%")),
    ("STATUS", b" INBOX (MESSAGES uidnext MESSAGES)", Status("INBOX", ("MESSAGES", "UIDNEXT"))),
    ("EXPUNGE", b"", Expunge()),
    ("UID EXPUNGE", b" 1:3,5:*", Expunge(SET)),
    ("COPY", b" 1:3,5:* Sent", Copy(SET, "Sent")),
    ("UID COPY", b" 1:3,5:* Sent", Copy(SET, "Sent", uid=True)),
    ("MOVE", b" 1:3,5:* Sent", Move(SET, "Sent")),
    ("UID MOVE", b" 1:3,5:* Sent", Move(SET, "Sent", uid=True)),
]
WRONG: list[tuple[str, bytes]] = [
    ("ENABLE", b""),
    ("ENABLE", b" "),
    ("ENABLE", b" " + b" ".join([b"x"] * 51)),
    ("ID", b""),
    ("ID", b' "x"'),
    ("ID", b' ("name")'),
    ("ID", b' (NIL "x")'),
    ("ID", b' ("' + b"x" * 31 + b'" NIL)'),
    ("ID", b' ("x" "' + b"x" * 1025 + b'")'),
    ("ID", b" (" + b" ".join([b'"x" NIL'] * 31) + b")"),
    ("SELECT", b""),
    ("SELECT", b" NIL NIL"),
    ("CREATE", b" /"),
    ("CREATE", b" a (USE)"),
    ("CREATE", b" a (USE (Trash))"),
    ("CREATE", b" a (USE (\\Trash)"),
    ("CREATE", b" a (QUOTA (1))"),
    ("CREATE", b" a ()"),
    ("RENAME", b" a"),
    ("STATUS", b" a ()"),
    ("STATUS", b" a MESSAGES"),
    ("STATUS", b" a (FOO)"),
    ("UID EXPUNGE", b""),
    ("UID EXPUNGE", b" 4294967296"),
    ("COPY", b" 1"),
    ("COPY", b" 0 a"),
    ("MOVE", b" a 1"),
]


@pytest.mark.parametrize(("name", "text", "arguments"), EXAMPLES)
def test_examples_and_nothing_after_them(name: str, text: bytes, arguments: Arguments) -> None:
    assert GRAMMAR[name](Lexer([text])) == arguments
    for rest in (b" ", b" (x)", b")", b"\t", b"  x", b"\xff", b"\0"):
        with pytest.raises(SyntaxProblem):
            GRAMMAR[name](Lexer([text + rest]))


@pytest.mark.parametrize(("name", "text"), WRONG)
def test_wrong_arguments(name: str, text: bytes) -> None:
    with pytest.raises(SyntaxProblem) as caught:
        GRAMMAR[name](Lexer([text]))
    assert caught.value.text


def test_done_ends_idle() -> None:
    assert is_done(b"done")
    assert not is_done(b"DONE ")


def test_every_command_of_the_receiver_can_be_named() -> None:
    for name in GRAMMAR:
        receiver = Receiver(Limits())
        receiver.feed(b"a %b\r\n" % name.lower().encode())
        event = receiver.next()
        assert isinstance(event, Received)
        assert event.name == name


words = st.sampled_from(
    b'( ) " \\ NIL INBOX 1:* 1 0 4294967296 * % $ FLAGS +FLAGS (\\Seen) BODY[ BODY.PEEK[1.TEXT]<0.5> [] UID OR NOT '
    b'ALL "" "a {3+}\r\nabc ~{1+}\r\n\0 RETURN (STATUS (MESSAGES)) CHARSET UTF-8 TEXT SINCE 1-Feb-2024 USE &AGE- '
    b'HEADER.FIELDS (a) " 1-Feb-2024 10:00:00 +0000" KEYWORD $x MODSEQ LARGER = QUI= \xc3\xa4 \xff'.split(b" ")
)
texts = st.lists(st.one_of(words, st.binary(max_size=6)), max_size=12).flatmap(
    lambda parts: st.sampled_from([b" ".join(parts), b"".join(parts)])
)


@given(st.sampled_from(sorted(GRAMMAR)), texts)
@settings(max_examples=1500, deadline=None)
def test_any_text_parses_or_is_a_syntax_problem(name: str, text: bytes) -> None:
    receiver = Receiver(Limits())
    receiver.feed(b"t %b %b\r\n" % (name.encode(), text))
    for _ in range(50):
        event = receiver.next()
        if isinstance(event, NeedMore):
            break
        if isinstance(event, NeedLiteral):
            receiver.refuse() if event.too_big else receiver.accept()
        elif isinstance(event, Received) and event.name in GRAMMAR:
            try:
                hash(GRAMMAR[event.name](event.lexer()))
            except (SyntaxProblem, BadCharset):
                pass


HOSTILE = [
    b" " + b"(" * 60_000,
    b" " + b"(" * 60_000 + b")" * 60_000,
    b' "' + b"\\" * 60_001,
    b' "' + b"a" * 60_000,
    b" " + b"1:*," * 15_000 + b"1 FLAGS",
    b" " + b"9" * 60_000,
    b" 1 (" + b"FLAGS " * 10_000 + b")",
    b" 1 BODY[" + b"1." * 30_000 + b"]",
    b" " + b"OR " * 20_000,
    b" " + b"NOT " * 15_000,
    b' "" ' + b"*" * 60_000,
    b" &" + b"A" * 60_000 + b"-",
    b" " + b"&-" * 30_000,
    b" " + b" " * 60_000,
    b" PLAIN " + b"A" * 60_001,
]


def test_hostile_arguments_are_refused_quickly_by_every_command() -> None:
    for text in HOSTILE:
        for name, parse in GRAMMAR.items():
            started = time.process_time()
            try:
                parse(Lexer([text]))
            except (SyntaxProblem, BadCharset):
                pass
            assert time.process_time() - started < 0.5, (name, text[:20])
