"""The receiver: commands, literals, limits and refusals, however the bytes come in."""

import itertools
import time
import tracemalloc
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailraven.imap import abnf
from mailraven.imap.lexer import Literal
from mailraven.imap.limits import BEFORE_LOGIN, Limits
from mailraven.imap.receiver import Invalid, Line, NeedLiteral, NeedMore, Received, Receiver

SMALL = Limits(line=60, literal=20, command=120, message=200, discard=1000)


def run(chunks: Iterable[bytes], limits: Limits = SMALL, receiver: Receiver | None = None) -> list[object]:
    """Feed and collect all events; literals are accepted where they may be, else refused; ends when fatal."""
    receiver = receiver or Receiver(limits)
    events: list[object] = []
    for chunk in chunks:
        receiver.feed(chunk)
        while True:
            event = receiver.next()
            if isinstance(event, NeedMore):
                break
            events.append(event)
            if isinstance(event, NeedLiteral):
                receiver.refuse() if event.too_big else receiver.accept()
            if isinstance(event, Invalid) and event.fatal:
                return events
    return events


def received(events: Sequence[object]) -> list[tuple[str, str]]:
    """Tags and names of the commands that came through."""
    return [(event.tag, event.name) for event in events if isinstance(event, Received)]


def test_a_command_has_tag_name_and_the_rest() -> None:
    assert run([b"a1 uid fetch 1:* (FLAGS)\r\na2 Noop\r\n"]) == [
        Received("a1", "UID FETCH", (b" 1:* (FLAGS)",)),
        Received("a2", "NOOP", (b"",)),
    ]


def test_the_lexer_of_a_command_reads_its_arguments() -> None:
    (_, event) = run([b'A LOGIN "joe" {3+}\r\nabc\r\n'])
    assert isinstance(event, Received)
    lexer = event.lexer()
    lexer.space()
    assert lexer.astring() == b"joe"
    lexer.space()
    assert lexer.astring() == b"abc"
    lexer.end()


def test_literals_are_asked_for() -> None:
    receiver = Receiver(SMALL)
    receiver.feed(b"A LOGIN {3}\r\n")
    asked = receiver.next()
    assert asked == NeedLiteral("A", "LOGIN", 3, sync=True, binary=False, too_big=False, discardable=True)
    assert receiver.next() is asked
    receiver.accept()
    assert receiver.next() == NeedMore()
    receiver.feed(b"j{e ~{4+}\r\n")
    again = receiver.next()
    assert isinstance(again, NeedLiteral)
    assert (again.size, again.sync, again.binary) == (4, False, True)
    receiver.accept()
    receiver.feed(b"\r\n\0}\r\nB NOOP\r\n")
    literals = (Literal(b"j{e"), Literal(b"\r\n\0}", binary=True))
    assert receiver.next() == Received("A", "LOGIN", (b" ", b" ", b""), literals)
    assert receiver.next() == Received("B", "NOOP", (b"",))
    assert receiver.idle


def test_an_empty_literal() -> None:
    assert run([b"A LOGIN {0+}\r\n {0}\r\n\r\n"])[-1] == Received(
        "A", "LOGIN", (b" ", b" ", b""), (Literal(b""), Literal(b""))
    )


stream_parts = st.one_of(
    st.sampled_from(
        [
            b"a NOOP\r\n",
            b"b LOGIN {3}\r\nabc {2+}\r\nde\r\n",
            b"c APPEND x {30+}\r\n" + b"\r\nz NOOP\r\n" * 3 + b"\r\n",
            b"d APPEND {40+}\r\n" + b"y" * 40 + b" {5+}\r\nhello\r\n",
            b"e APPEND x {500+}\r\n" + b"q NOOP\r\n" * 62 + b"qqqq {3+}\r\nabc\r\n",
            b"f LOGIN {25}\r\n",
            b"g NOOP" + b"x" * 80 + b"\r\n",
            b"h NOOP\ni NOOP\r\n",
            b"j NO\rOP {4+}\r\nk N\r\n",
            b"l \0 {2}\r\n",
            b"m " + b"x" * 70 + b"{9+}\r\nn NOOP\r\n\r\n",
            b"\r\n",
            b"* x\r\n",
            b"o {9999999999999999999}\r\n",
            b"p LOGIN {99999999999999999999+}\r\n",
            b"q x \xff\r\r\n",
        ]
    ),
    st.binary(max_size=30),
    st.text(" aA1{}+~\r\n\0", max_size=30).map(str.encode),
)
streams = st.lists(stream_parts, max_size=8).map(b"".join)


@given(streams, st.data())
@settings(max_examples=300, deadline=None)
def test_events_do_not_depend_on_how_the_bytes_are_split(stream: bytes, data: st.DataObject) -> None:
    whole = run([stream])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    edges = [0, *cuts, len(stream)]
    assert run([stream[a:b] for a, b in itertools.pairwise(edges)]) == whole
    assert run([stream[n : n + 1] for n in range(len(stream))]) == whole


@given(st.lists(st.binary(max_size=40), max_size=5), st.booleans())
@settings(max_examples=100, deadline=None)
def test_literals_come_through_octet_for_octet(octets: list[bytes], binary: bool) -> None:
    mark = b"~" if binary else b""
    limits = Limits()
    stream = b"t X" + b"".join(b" %b{%d+}\r\n%b" % (mark, len(o), o) for o in octets) + b"\r\nu NOOP\r\n"
    events = [event for event in run([stream], limits) if isinstance(event, Received)]
    assert [literal.octets for literal in events[0].literals] == octets
    assert received(events)[1] == ("u", "NOOP")


def test_every_octet_in_a_tag_and_in_a_name() -> None:
    for c in range(256):
        if c in b"\n":
            continue
        tag = run([bytes((c,)) + b" NOOP\r\n"])[0]
        assert isinstance(tag, Received) is (c in abnf.TAG_CHAR), c
        name = run([b"a X" + bytes((c,)) + b"\r\n"])[0]
        if c == 0x20:
            assert name == Received("a", "X", (b" ",))
        else:
            assert isinstance(name, Received) is (c in abnf.ATOM_CHAR), c


@pytest.mark.parametrize(
    ("line", "tag"),
    [
        (b"", None),
        (b" ", None),
        (b"a", None),
        (b"a ", "a"),
        (b"a  NOOP", "a"),
        (b"+ NOOP", None),
        (b"* NOOP", None),
        (b"x" * 129 + b" NOOP", None),
        (b"a {3}", "a"),
        (b"a NOOP(", "a"),
        (b"a N\0P", "a"),
        (b"a N\rP", "a"),
        (b"a NOOP\r", "a"),
        (b"a " + b"N" * 41, "a"),
    ],
)
def test_lines_that_are_no_commands_are_answered_and_forgotten(line: bytes, tag: str | None) -> None:
    events = run([line + b"\r\nb NOOP\r\n"], Limits())
    assert isinstance(events[0], Invalid)
    assert (events[0].tag, events[0].fatal) == (tag, False)
    assert received(events) == [("b", "NOOP")]


def test_a_bare_line_feed_is_no_line_end_and_hides_no_command() -> None:
    events = run([b"a NOOP\nb NOOP\r\nc NOOP\r\n"])
    assert isinstance(events[0], Invalid)
    assert events[0].tag == "a"
    assert received(events) == [("c", "NOOP")]


def test_a_line_over_the_limit_is_refused_at_once_and_skipped() -> None:
    receiver = Receiver(SMALL)
    receiver.feed(b"a NOOP " + b"x" * 55)
    event = receiver.next()
    assert isinstance(event, Invalid)
    assert (event.tag, event.fatal) == ("a", False)
    assert receiver.buffered == 62
    assert isinstance(receiver.next(), NeedMore)
    assert receiver.buffered == 0
    receiver.feed(b"xxx\r\nb NOOP\r\n")
    assert receiver.next() == Received("b", "NOOP", (b"",))


def test_a_line_of_exactly_the_limit_is_fine() -> None:
    assert received(run([b"a NOOP " + b"x" * 53 + b"\r\n"])) == [("a", "NOOP")]
    assert received(run([b"a NOOP " + b"x" * 54 + b"\r\n"])) == []


def test_a_refused_line_does_not_turn_its_literal_into_commands() -> None:
    evil = b"z DELETE INBOX\r\n"
    for line in (b"a X " + b"y" * 70, b"a X\0", b"a  X", b"", b"a X\nb"):
        stream = b"%b {%d+}\r\n%b rest {%d+}\r\n%b\r\nc NOOP\r\n" % (line, len(evil), evil, len(evil), evil)
        assert received(run([stream])) == [("c", "NOOP")], line


def test_a_literal_that_is_too_big_is_seen_before_it_is_read() -> None:
    for size, too_big in ((20, False), (21, True)):
        receiver = Receiver(SMALL)
        receiver.feed(b"a LOGIN {%d}\r\n" % size)
        event = receiver.next()
        assert isinstance(event, NeedLiteral)
        assert event.too_big is too_big
    with pytest.raises(ValueError, match="accepted"):
        receiver.accept()
    receiver.refuse()
    receiver.feed(b"b NOOP\r\n")
    assert receiver.next() == Received("b", "NOOP", (b"",))
    with pytest.raises(ValueError, match="announced"):
        receiver.refuse()


def test_a_message_is_measured_by_its_own_limit() -> None:
    for command, literal, message, too_big in (
        (b"a APPEND x {200}", 200, True, False),
        (b"a APPEND x {201}", 201, True, True),
        (b"a append {21}", 21, False, True),
        (b"a UID {200}", 200, False, True),
    ):
        receiver = Receiver(SMALL)
        receiver.feed(command + b"\r\n")
        event = receiver.next()
        assert isinstance(event, NeedLiteral)
        assert (event.size, event.message, event.too_big) == (literal, message, too_big)


def test_all_messages_of_one_append_share_the_limit() -> None:
    stream = b"a APPEND x {150+}\r\n" + b"m" * 150 + b" {60+}\r\n" + b"n" * 60 + b"\r\nb NOOP\r\n"
    events = run([stream])
    assert [event.too_big for event in events if isinstance(event, NeedLiteral)] == [False, True]
    assert received(events) == [("b", "NOOP")]


def test_a_refused_literal_on_its_way_is_skipped_or_cannot_be() -> None:
    receiver = Receiver(SMALL)
    receiver.feed(b"a LOGIN {900+}\r\n")
    event = receiver.next()
    assert isinstance(event, NeedLiteral)
    assert (event.too_big, event.discardable) == (True, True)
    receiver.refuse()
    for _ in range(9):
        receiver.feed(b"b NOOP\r\n" * 12 + b"1234")
        assert isinstance(receiver.next(), NeedMore)
        assert receiver.buffered == 0
    receiver.feed(b" more\r\nc NOOP\r\n")
    assert receiver.next() == Received("c", "NOOP", (b"",))
    receiver.feed(b"a LOGIN {1001+}\r\n")
    event = receiver.next()
    assert isinstance(event, NeedLiteral)
    assert not event.discardable
    receiver.refuse()
    assert receiver.next() == Invalid(None, "too much input to throw away", fatal=True)


def test_a_caller_may_refuse_what_is_within_limits() -> None:
    receiver = Receiver(SMALL)
    receiver.feed(b"a SELECT {5+}\r\nINBOX\r\nb NOOP\r\n")
    assert isinstance(receiver.next(), NeedLiteral)
    receiver.refuse()
    assert receiver.next() == Received("b", "NOOP", (b"",))


def test_a_command_in_many_pieces_has_a_limit_in_all() -> None:
    piece = b" {10+}\r\n" + b"x" * 10
    assert received(run([b"a SEARCH" + piece * 4 + b"\r\n"])) == [("a", "SEARCH")]
    assert received(run([b"a SEARCH" + piece * 20 + b"\r\nb NOOP\r\n"])) == [("b", "NOOP")]
    events = run([b"a SEARCH " + b"{0+}\r\n" * 5000 + b"\r\nb NOOP\r\n"], Limits())
    assert any(isinstance(event, Invalid) and "literals" in event.text for event in events)
    assert received(events) == [("b", "NOOP")]


def test_a_literal_beyond_63_bits_is_a_syntax_error() -> None:
    for size in (b"9223372036854775808", b"99999999999999999999"):
        sync, unsync = run([b"a LOGIN {%b}\r\n" % size])[0], run([b"a LOGIN {%b+}\r\n" % size])[0]
        assert isinstance(sync, Invalid)
        assert isinstance(unsync, Invalid)
        assert (sync.tag, sync.fatal, unsync.fatal) == ("a", False, True)


def test_what_only_looks_like_a_literal_is_text() -> None:
    for end in (b"{}", b"{a}", b"{1", b"{-1}", b"{1++}", b"{123456789012345678901}", b"{1} "):
        assert run([b"a X " + end + b"\r\n"]) == [Received("a", "X", (b" " + end,))]


def test_browsers_and_tls_on_the_plain_port_end_at_once() -> None:
    for octets in (b"GET / HTTP/1.1\r\n", b"POST /a?b HTTP/1.0\r\n", b"\x16\x03\x01\x02\x00"):
        event = run([octets])[0]
        assert isinstance(event, Invalid)
        assert event.fatal, octets
    assert received(run([b"a NOOP\r\nGET HTTP\r\n"])) == [("a", "NOOP"), ("GET", "HTTP")]


def test_lines_that_are_no_commands_come_as_they_are() -> None:
    receiver = Receiver(SMALL)
    receiver.feed(b"DONE\r\n*\r\n\r\nab")
    assert [receiver.next_line() for _ in range(3)] == [Line(b"DONE"), Line(b"*"), Line(b"")]
    assert receiver.next_line() == NeedMore()
    receiver.feed(b"\0\r\n" + b"x" * 80)
    assert isinstance(receiver.next_line(), Invalid)
    assert isinstance(receiver.next_line(), Invalid)
    receiver.feed(b"\r\na NOOP\r\n")
    assert receiver.next_line() == Line(b"a NOOP")


def test_what_came_before_starttls_can_be_forgotten() -> None:
    receiver = Receiver(SMALL)
    receiver.feed(b"a STARTTLS\r\nb LOGIN x y\r\n")
    assert received([receiver.next()]) == [("a", "STARTTLS")]
    assert receiver.buffered
    receiver.clear()
    assert isinstance(receiver.next(), NeedMore)
    receiver.feed(b"xy")
    assert receiver.take_buffer() == b"xy"
    assert receiver.idle


def test_limits_rise_at_login() -> None:
    receiver = Receiver(BEFORE_LOGIN)
    line = b"a X " + b"y" * 9000 + b"\r\n"
    assert received(run([line], receiver=receiver)) == []
    receiver.limits = Limits()
    assert received(run([line], receiver=receiver)) == [("a", "X")]


def test_long_input_costs_time_in_proportion_and_no_memory() -> None:
    started = time.process_time()
    receiver = Receiver(Limits())
    tracemalloc.start()
    chunk = b"x" * 65_536
    for _ in range(1600):  # 100 MB without a line end
        receiver.feed(chunk)
        while not isinstance(receiver.next(), NeedMore):
            pass
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    for _ in range(60_000):
        receiver.feed(b"x")
        receiver.next()
    assert time.process_time() - started < 3


def test_a_large_message_is_held_once() -> None:
    receiver = Receiver(Limits())
    size = 20_000_000
    receiver.feed(b"a APPEND x {%d+}\r\n" % size)
    assert isinstance(receiver.next(), NeedLiteral)
    receiver.accept()
    chunk = bytes(65_536)
    tracemalloc.start()
    sent = 0
    while sent < size:
        receiver.feed(chunk[: size - sent])
        sent += len(chunk[: size - sent])
        assert isinstance(receiver.next(), NeedMore)
    receiver.feed(b"\r\n")
    event = receiver.next()
    assert isinstance(event, Received)
    assert len(event.literals[0].octets) == size
    assert tracemalloc.get_traced_memory()[1] < 1.3 * size
    tracemalloc.stop()
