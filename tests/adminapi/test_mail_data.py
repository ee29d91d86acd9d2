"""From octets to data: wire forms, parts, file names, encodings; hostile ones stay within bounds."""

import base64
import binascii
import quopri
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailraven.adminapi.mail import naming, wire
from mailraven.adminapi.mail.reading import MAX_ADDRESSES, MAX_PARTS, locate, read
from mailraven.adminapi.mail.searching import Query
from mailraven.adminapi.mail.transfer_encoding import decoder
from mailraven.message import summarize
from mailraven.message.mime import Params

MESSAGE = (
    b"Date: Sat, 1 Aug 2026 08:00:00 +0000\r\nFrom: =?utf-8?q?J=C3=BCrgen?= <j@far.test>, k@far.test\r\n"
    b'To: team: "A \\"B\\"" <a@x.test>, b@x.test;\r\nSubject: =?utf-8?b?w7Y=?= {3}\r\nIn-Reply-To: <1@x>\r\n'
    b"Message-ID: <2@x>\r\nReferences: <0@x>\r\n <1@x>\r\n"
)


def test_an_envelope_decoded() -> None:
    found = wire.envelope(summarize(MESSAGE + b"\r\nx").envelope)
    assert (found.subject, found.date, found.in_reply_to) == ("ö {3}", "Sat, 1 Aug 2026 08:00:00 +0000", "<1@x>")
    assert [(one.name, one.address) for one in found.from_] == [("Jürgen", "j@far.test"), ("", "k@far.test")]
    assert [(one.name, one.address) for one in found.to] == [('A "B"', "a@x.test"), ("", "b@x.test")]


def test_a_huge_envelope_is_read_in_part_and_at_once() -> None:
    many = b", ".join(b"u%d@far.test" % n for n in range(49_000))
    octets = summarize(b"Subject: s\r\nFrom: a@x.test\r\nTo: " + many[:60_000] + b"\r\n\r\n").envelope
    began = time.process_time()
    for _ in range(100):
        found = wire.envelope(octets)
    assert time.process_time() - began < 2
    assert (found.subject, len(found.to)) == ("s", wire.MAX_ADDRESSES)


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_no_octets_break_the_reading_of_wire_forms(octets: bytes) -> None:
    wire.envelope(octets)
    wire.parse(b"((" + octets)


@settings(deadline=None)
@given(st.binary(max_size=600))
def test_no_message_breaks_the_reading(octets: bytes) -> None:
    for raw in (octets, MESSAGE + octets, b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + octets):
        shown = read(raw)
        found = wire.envelope(summarize(raw).envelope)
        (found.subject + "".join(one.address + one.name for one in found.from_)).encode()
        "".join(field.value for field in shown.headers).encode()
        for part in shown.parts:
            place = locate(raw, part.section)
            assert place is not None
            naming.attachment(place.name or "x").encode("ascii")


def test_fields_texts_and_parts() -> None:
    raw = (
        MESSAGE + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
        b"Content-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n\r\nplain\r\n--c\r\n"
        b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.b64encode("<script>ö</script>".encode())
        + b"\r\n--c--\r\n--b\r\nContent-Type: text/plain; name=a.txt\r\nContent-Disposition: attachment\r\n\r\nfile\r\n"
        b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nx\r\n--b--\r\n"
    )
    shown = read(raw)
    assert [one.text for one in shown.text] == ["plain"]
    assert [(one.text, one.untrusted) for one in shown.html] == [("<script>ö</script>", True)]
    assert [(one.section, one.type, one.name) for one in shown.parts] == [
        ("1.1", "text/plain", None),
        ("1.2", "text/html", None),
        ("2", "text/plain", "a.txt"),
        ("3", "message/rfc822", None),
    ]
    assert shown.references == ("<0@x>", "<1@x>")
    assert wire.has_attachment(summarize(raw).bodystructure)
    assert not wire.has_attachment(
        summarize(MESSAGE + b'Content-Type: text/plain; attachment="x"\r\n\r\n').bodystructure
    )
    assert locate(raw, "1") is None  # a multipart is no download
    assert locate(raw, "4") is None
    assert locate(raw, "3.1.1.1") is None


def test_a_message_with_too_much_of_everything_says_so() -> None:
    parts = b"--b\r\n\r\nx\r\n" * (MAX_PARTS + 5)
    to = b", ".join(b"u%d@x.test" % n for n in range(MAX_ADDRESSES + 5))
    shown = read(b"To: " + to + b"\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + parts)
    assert (len(shown.parts), len(shown.to), shown.truncated) == (MAX_PARTS, MAX_ADDRESSES, True)
    long = read(b"Subject: x\r\n\r\n" + b"word " * 200_000)
    assert long.text[0].truncated
    assert not long.truncated


NAMES = [
    (((b"filename", b"a.txt"),), "a.txt"),
    (((b"filename", b"=?utf-8?q?=C3=B6.txt?="),), "ö.txt"),
    (((b"filename*", b"utf-8'de'%C3%B6.txt"), (b"filename", b"o.txt")), "ö.txt"),
    (((b"FileName*1*", b"%C3%B6"), (b"filename*0*", b"utf-8''a"), (b"filename*2", b"%.txt")), "aö%.txt"),
    (((b"filename*0", b"a"), (b"filename*1", b"b.txt"), (b"filename*3", b"x")), "ab.txt"),
    (((b"filename*", b"x-unknown''%FF"),), "ÿ"),
    (((b"filename*1", b"b"),), None),
    ((), None),
]


@pytest.mark.parametrize(("params", "expected"), NAMES)
def test_file_names_of_every_form(params: Params, expected: str | None) -> None:
    assert naming.parameter(params, b"filename") == expected


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Windows\\evil.exe", "evil.exe"),
        ("exe.\u202egnp", "exe._gnp"),
        ("a\r\nSet-Cookie: x", "a__Set-Cookie_ x"),
        ('a"; filename="b', "a_; filename=_b"),
        ("..", None),
        ("", None),
        (" .hidden. ", "hidden"),
        ("x" * 500 + ".pdf", "x" * 196 + ".pdf"),
    ],
)
def test_unsafe_names(name: str, safe: str | None) -> None:
    assert naming.safe_name(name) == safe


@given(st.text(max_size=300))
def test_content_disposition_is_one_header_line(name: str) -> None:
    shown = naming.attachment(naming.safe_name(name) or "x")
    shown.encode("ascii")
    assert shown.isprintable()
    assert shown.count('"') == 2


@given(st.binary(max_size=2000), st.lists(st.integers(1, 300), max_size=20))
def test_decoding_in_pieces_is_decoding_at_once(octets: bytes, cuts: list[int]) -> None:
    forms = {
        b"base64": (binascii.b2a_base64(octets) if len(octets) < 900 else base64.encodebytes(octets), octets),
        b"quoted-printable": (quopri.encodestring(octets), octets),
        b"8bit": (octets, octets),
    }
    for encoding, (encoded, expected) in forms.items():
        decoding, got, start = decoder(encoding), b"", 0
        for cut in [*cuts, len(encoded)]:
            got += decoding.feed(encoded[start : start + cut])
            start += cut
        assert got + decoding.feed(encoded[start:]) + decoding.end() == expected


def test_a_quoted_printable_line_without_end_is_decoded_on_the_way() -> None:
    decoding = decoder(b"quoted-printable")
    got = b"".join(decoding.feed(b"=41" * 10_001) for _ in range(20)) + decoding.end()
    assert got == b"A" * 200_020


def test_flags_alone_need_no_search() -> None:
    wanted = Query(unread=True, flagged=False, keywords=("\\seen", "Work")).wanted()
    assert wanted is not None
    assert (wanted.present, wanted.absent) == (("\\Seen", "Work"), ("\\Seen", "\\Flagged"))
    assert Query(unread=True, text="x").wanted() is None
