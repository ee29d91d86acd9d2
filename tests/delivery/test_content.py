"""Octets after DATA: dots, the end, bare line ends; and replies made safe. Pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailraven.delivery import content
from mailraven.delivery.replies import MAX_TEXT, parse_reply, safe_text

lines = st.lists(
    st.sampled_from([b"", b".", b"..", b".x", b"x", b"x.", b"\x00\xff"]) | st.binary(max_size=20), max_size=30
)


def wire(message: bytes) -> bytes:
    pieces = list(content.frames(message))
    assert [last for _, last in pieces] == [False] * (len(pieces) - 1) + [True]
    return b"".join(piece for piece, _ in pieces)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"", b".\r\n"),
        (b"a\r\n", b"a\r\n.\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b".\r\n", b"..\r\n.\r\n"),
        (b".", b"..\r\n.\r\n"),
        (b"..\r\n", b"...\r\n.\r\n"),
        (b"a\r\n.\r\nb\r\n", b"a\r\n..\r\nb\r\n.\r\n"),
        (b"a.\r\n", b"a.\r\n.\r\n"),
        (b"\r\n\r\n", b"\r\n\r\n.\r\n"),
    ],
)
def test_frames(message: bytes, expected: bytes):
    assert wire(message) == expected


@given(lines)
def test_what_is_sent_reads_back_and_ends_once(parts: list[bytes]):
    message = b"".join(part.replace(b"\r", b"").replace(b"\n", b"") + b"\r\n" for part in parts)
    sent = wire(message)
    assert (b"\r\n" + sent).find(b"\r\n.\r\n") == len(sent) - 3
    undone = b"".join(line[1:] if line.startswith(b".") else line for line in sent[:-3].splitlines(True))
    assert undone == message


@pytest.mark.parametrize("offset", range(-4, 5))
def test_dot_at_the_edge_of_a_piece(offset: int):
    size = 256 * 1024 + offset
    message = b"x" * (size - 2) + b"\r\n.y\r\n" + b"z" * 10 + b"\r\n"
    assert wire(message) == message.replace(b"\r\n.y", b"\r\n..y") + b".\r\n"


@pytest.mark.parametrize(
    ("message", "bare"),
    [
        (b"", False),
        (b"a\r\nb\r\n", False),
        (b"a\nb", True),
        (b"\n", True),
        (b"a\rb", True),
        (b"\r", True),
        (b"a\r\r\n", True),
        (b"a\r\n\n", True),
        (b"a\r\n\r\n", False),
    ],
)
def test_bare_line_end(message: bytes, bare: bool):
    assert content.has_bare_line_end(message) is bare


def test_header_is_told_from_body():
    assert content.is_ascii_header(b"A: b\r\n\r\n\xff")
    assert not content.is_ascii_header(b"A: \xff\r\n\r\nb")
    assert not content.is_ascii_header(b"A: \xff")


@pytest.mark.parametrize(
    ("code", "text", "status"),
    [
        (250, "2.1.5 ok", "2.1.5"),
        (250, "ok", "2.0.0"),
        (550, "5.1.1 no such user", "5.1.1"),
        (550, "5.1.1", "5.1.1"),
        (550, "5.1.1.1 odd", "5.0.0"),
        (550, "4.1.1 class does not fit", "5.0.0"),
        (450, "4.7.1 greylisted", "4.7.1"),
        (450, "5.7.1 no", "4.0.0"),
        (354, "go", "4.5.0"),
        (199, "what", "4.5.0"),
        (600, "what", "4.5.0"),
        (-1, "garbage", "4.5.0"),
    ],
)
def test_status_of_a_reply(code: int, text: str, status: str):
    assert parse_reply(code, text).status == status


@given(st.text(max_size=3000))
def test_text_is_one_bounded_printable_line(text: str):
    safe = safe_text(text)
    assert len(safe) <= MAX_TEXT
    assert safe == "" or (safe.isascii() and safe.isprintable())


def test_injection_is_flattened():
    assert safe_text("no\r\nBcc: x@y.test\n\nbody\x00\x1b[0m\u2028") == "no Bcc: x@y.test body??[0m"
