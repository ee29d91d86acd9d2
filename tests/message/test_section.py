import pytest

from mailraven.message import Section, extract, parse
from mailraven.message.limits import MAX_FIELDS

INNER = (
    b"From: c@d\r\nSubject: inner\r\nContent-Type: multipart/mixed; boundary=in\r\n\r\n--in\r\n\r\nfirst\r\n--in--\r\n"
)
FORWARD = b"Content-Type: message/rfc822\r\nX-Part: 2\r\n\r\n" + INNER
SINGLE = b"Subject: single\r\n\r\nalone"
RAW = (
    b"From: a@b\r\nSubject: one\r\n two\r\nTO : x@y\r\nContent-Type: multipart/mixed; boundary=out\r\n\r\n"
    b"--out\r\nX-Part: 1\r\n\r\nplain\r\n"
    b"--out\r\n" + FORWARD + b"\r\n--out\r\nContent-Type: message/rfc822\r\n\r\n" + SINGLE + b"\r\n--out--\r\n"
)
HEADER_END = RAW.index(b"\r\n\r\n") + 4


def section(spec):
    """BODY[spec], as a client writes it."""
    name, _, names = spec.partition(" ")
    path = []
    words = name.split(".") if name else []
    while words and words[0].isdigit():
        path.append(int(words.pop(0)))
    fields = tuple(names.strip("()").split()) if names else ()
    return Section(tuple(path), ".".join(words) or None, fields)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("", RAW),
        ("HEADER", RAW[:HEADER_END]),
        ("TEXT", RAW[HEADER_END:]),
        ("MIME", None),
        ("1", b"plain"),
        ("1.MIME", b"X-Part: 1\r\n\r\n"),
        ("1.HEADER", None),
        ("1.TEXT", None),
        ("1.1", None),
        ("2", INNER),
        ("2.MIME", b"Content-Type: message/rfc822\r\nX-Part: 2\r\n\r\n"),
        ("2.HEADER", INNER[: INNER.index(b"\r\n\r\n") + 4]),
        ("2.TEXT", INNER[INNER.index(b"\r\n\r\n") + 4 :]),
        ("2.1", b"first"),
        ("2.1.MIME", b"\r\n"),
        ("2.2", None),
        ("3", SINGLE),
        ("3.1", b"alone"),
        ("3.1.MIME", b"Subject: single\r\n\r\n"),
        ("3.1.1", None),
        ("3.2", None),
        ("3.TEXT", b"alone"),
        ("4", None),
        ("0", None),
        ("HEADER.FIELDS (subject)", b"Subject: one\r\n two\r\n\r\n"),
        ("HEADER.FIELDS (To FROM)", b"From: a@b\r\nTO : x@y\r\n\r\n"),
        ("HEADER.FIELDS (none)", b"\r\n"),
        ("HEADER.FIELDS.NOT (Subject to Content-Type)", b"From: a@b\r\n\r\n"),
        ("HEADER.FIELDS.NOT (none)", RAW[:HEADER_END]),
        ("2.HEADER.FIELDS (Subject)", b"Subject: inner\r\n\r\n"),
        ("1.HEADER.FIELDS (Subject)", None),
    ],
)
def test_sections(spec, expected):
    assert extract(RAW, section(spec)) == expected
    assert extract(RAW, section(spec), parse(RAW)) == expected


@pytest.mark.parametrize(
    ("raw", "spec", "expected"),
    [
        (b"A: b\r\n\r\nbody", "1", b"body"),
        (b"A: b\r\n\r\nbody", "1.MIME", b"A: b\r\n\r\n"),
        (b"A: b\r\n\r\nbody", "1.1", None),
        (b"A: b\r\n\r\nbody", "2", None),
        (b"", "", b""),
        (b"", "HEADER", b""),
        (b"", "1", b""),
        (b"", "HEADER.FIELDS (a)", b"\r\n"),
        (b"A: b", "HEADER", b"A: b"),
        (b"A: b", "HEADER.FIELDS (a)", b"A: b\r\n\r\n"),
        (b"A: b\n c\nD: e\n\nbody", "HEADER.FIELDS (a)", b"A: b\n c\n\r\n"),
        (b"no colon\r\nA: b\r\n\r\n", "HEADER.FIELDS (a)", b"A: b\r\n\r\n"),
        (b"no colon\r\nA: b\r\n\r\n", "HEADER.FIELDS.NOT (a)", b"no colon\r\n\r\n"),
        (b"no colon\r\nA: b\r\n\r\n", "HEADER.FIELDS (Absent)", b"\r\n"),
        (b"A: \0\xff\r\n\r\n\0", "", b"A: \0\xff\r\n\r\n\0"),
        (b"A: \0\xff\r\n\r\n\0", "1", b"\0"),
        # BODY[1] of a message that is a message is the message in it
        (b"Content-Type: message/rfc822\r\n\r\nA: b\r\n\r\nc", "1", b"A: b\r\n\r\nc"),
        (b"Content-Type: message/rfc822\r\n\r\nA: b\r\n\r\nc", "1.HEADER", b"A: b\r\n\r\n"),
        (b"Content-Type: message/rfc822\r\n\r\nA: b\r\n\r\nc", "1.1", b"c"),
        (b"Content-Type: message/rfc822\r\n\r\nA: b\r\n\r\nc", "1.1.1", None),
    ],
)
def test_sections_of_other_messages(raw, spec, expected):
    assert extract(raw, section(spec)) == expected


def test_fields_beyond_the_limit_are_not_chosen_but_not_lost_either():
    raw = b"A: b\r\n" * MAX_FIELDS + b"Last: c\r\n\r\nbody"
    assert extract(raw, section("HEADER.FIELDS (Last)")) == b"\r\n"
    assert extract(raw, section("HEADER.FIELDS.NOT (A)")) == b"Last: c\r\n\r\n"
