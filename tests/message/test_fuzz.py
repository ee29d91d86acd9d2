"""Random input out of the pieces that mean something: nothing raises, all that is said is well-formed."""

from datetime import UTC

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailraven.message import (
    Section,
    addresses,
    body_wire,
    decode_words,
    extract,
    fold,
    header_fields,
    parse,
    parse_date,
    preview,
    search_text,
    summarize,
)

PIECES = [
    *(b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\n\n", b" ", b"\t", b"\r\n ", b"\0", b"\xff", b"\xc3\xbc", b"x", b"--"),
    *(
        b"From: ",
        b"To: ",
        b"Subject: ",
        b"Date: ",
        b"Sender:",
        b"Message-ID: ",
        b"Content-Type: ",
        b"content-language: ",
    ),
    *(b"Content-Disposition: ", b"Content-Transfer-Encoding: ", b"Content-ID: ", b"Content-Location: "),
    *(
        b"multipart/mixed",
        b"multipart/digest",
        b"message/rfc822",
        b"text/plain",
        b"text/html",
        b"; boundary=b",
        b"; charset=",
    ),
    *(
        b"utf-8",
        b"utf-16",
        b"gb2312",
        b"base64",
        b"quoted-printable",
        b"=?utf-8?q?=C3?=",
        b"=?utf-8?b?w?=",
        b"=?",
        b"?=",
    ),
    *(b"--b\r\n", b"--b--", b"\r\n--b\r\n", b"\r\n--b--\r\n", b"--bb\r\n", b"; boundary=bb", b"=", b"=3D", b"YQ=="),
    *(
        b'"',
        b"\\",
        b"(",
        b")",
        b"<",
        b">",
        b",",
        b";",
        b":",
        b"@",
        b"[",
        b"]",
        b"a@b",
        b"<a@b>",
        b"g:",
        b"2 Jan 2023 1:00 ",
    ),
    *(b"+0100", b"Mon, ", b"{5}", b"&amp;", b"<p>", b"<style>"),
]
OCTETS = st.lists(st.sampled_from(PIECES) | st.binary(max_size=4), max_size=60).map(b"".join)
FUZZ = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXTS = (None, "TEXT", "HEADER", "HEADER.FIELDS", "HEADER.FIELDS.NOT", "MIME")


@FUZZ
@given(OCTETS)
def test_what_is_said_of_any_octets_is_well_formed(wire, raw):
    summary = summarize(raw)
    wire.check_envelope(wire.read(summary.envelope))
    wire.check_body(wire.read(summary.bodystructure))
    wire.check_body(wire.read(body_wire(summary.bodystructure)), extensible=False)
    for text in (summary.subject, summary.from_, summary.to, summary.cc, summary.bcc, summary.message_id):
        assert "\0" not in text
        text.encode()
    if summary.sent_at:
        summary.sent_at.astimezone(UTC)


@FUZZ
@given(OCTETS)
def test_the_tree_of_any_octets_holds_together(raw):
    tree = parse(raw)
    assert (tree.start, tree.end) == (0, len(raw))
    pending = [tree]
    while pending:
        part = pending.pop()
        assert 0 <= part.start <= part.body <= part.end <= len(raw)
        assert bool(part.children) == bool(part.kind)
        position = part.body
        for child in part.children:
            assert position <= child.start <= child.end <= part.end
            position = child.end
        pending += part.children


@FUZZ
@given(OCTETS, st.lists(st.integers(0, 3), max_size=3), st.sampled_from(TEXTS))
def test_sections_are_pieces_of_the_message(raw, path, text):
    section = Section(tuple(path), text, ("From", "Subject"))
    found = extract(raw, section)
    assert found == extract(raw, section, parse(raw))
    if found is not None and text not in ("HEADER.FIELDS", "HEADER.FIELDS.NOT"):
        assert found in raw
    assert extract(raw, Section(text="HEADER")) + extract(raw, Section(text="TEXT")) == raw


@FUZZ
@given(OCTETS)
def test_text_of_any_octets_can_be_stored(raw):
    for text in (*search_text(raw), preview(raw), decode_words(raw).replace("\0", "")):
        assert "\0" not in text
        text.encode()
    header_fields(raw)
    parse_date(raw)


@FUZZ
@given(OCTETS)
def test_addresses_of_any_octets_are_complete(raw):
    open_group = False
    for _, _, localpart, domain in addresses(raw):
        if domain is None:
            assert open_group == (localpart is None)
            open_group = localpart is not None
        else:
            assert localpart
            assert domain
    assert not open_group


@FUZZ
@given(st.text(max_size=700))
def test_folding_is_stable(text):
    once = fold(text)
    assert fold(once) == once or len(text) > 500  # beyond, a piece may end between a letter and its mark
    assert "\0" not in once
