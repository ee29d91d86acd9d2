"""Input made to hurt. Bounds are on what is done and what comes out; time is left to pytest's time-out.

Anything quadratic in these sizes takes minutes, so that a regression does not pass unseen.
"""

import pytest

from mailraven.message import Section, body_wire, extract, preview, search_text, summarize
from mailraven.message.limits import MAX_ADDRESSES, MAX_FIELD_OCTETS, MAX_FIELD_PARAMS, MAX_PARTS

MIB = 1024 * 1024


def fields(**values):
    return (
        b"".join(b"%b: %b\r\n" % (name.replace("_", "-").encode(), value) for name, value in values.items()) + b"\r\nhi"
    )


def multipart(part, count):
    return b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + (b"--x\r\n" + part + b"\r\n") * count


TRAPS = {
    "header line of 1 MB": fields(Subject=b"x" * MIB, To=b"x" * MIB),
    "header of 10 MB in short lines": b"a: b\r\n" * (10 * MIB // 6) + b"\r\nhi",
    "header of 10 MB of To": b"To: a\r\n" * (10 * MIB // 7) + b"\r\nhi",
    "header of 10 MB in one fold": b"Subject: a\r\n" + b" b\r\n" * (10 * MIB // 4) + b"\r\nhi",
    "header that never ends": b"x" * (10 * MIB),
    "carriage returns": b"\r" * (10 * MIB),
    "line feeds": b"a: b\r\n" + b"\n" * (10 * MIB),
    "messages around 10 MB of line feeds": b"Content-Type: message/rfc822\r\n\r\n" * 99
    + b"a: b\n\n"
    + b"\n" * (10 * MIB),
    "10,000 nested messages": b"Content-Type: message/rfc822\r\n\r\n" * 10_000,
    "10,000 nested multiparts": b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (number, number) for number in range(10_000)
    ),
    "nested multiparts around near misses": b"".join(
        b"Content-Type: multipart/mixed; boundary=%b\r\n\r\n--%b\r\n" % (b"b" * (100 - number), b"b" * (100 - number))
        for number in range(99)
    )
    + (b"\r\n--" + b"b" * 101) * (4 * MIB // 105),
    "50,000 addresses": fields(To=b", ".join(b"Joe <a%d@example.com>" % number for number in range(50_000))),
    "50,000 broken addresses": fields(To=b", ".join(b'Joe "x"@ <a%d@b' % number for number in range(50_000))),
    "semicolons": fields(Content_Type=b"text/plain" + b";" * MIB),
    "parameters": fields(Content_Type=b"text/plain" + b";a=b" * (MIB // 4)),
    "names without values": fields(Content_Type=b"text/plain" + b";a" * (MIB // 2)),
    "nested comments": fields(To=b"(" * MIB + b")" * MIB, Content_Type=b"(" * MIB, Date=b"(" * MIB),
    "flat comments": fields(To=b"()" * MIB, Content_Type=b"a/b" + b"()" * MIB, Content_Transfer_Encoding=b"()" * MIB),
    "quotation marks": fields(To=b'"' * MIB, Cc=b'\\"' * MIB, Content_Type=b"a/b" + b';a="' * MIB),
    "angle brackets": fields(To=b"<" * MIB, Cc=b"<>" * MIB, Bcc=b"[<" * MIB, From=b"<@:" * MIB),
    "colons and at signs": fields(To=b":" * MIB, Cc=b"a:;" * MIB, Bcc=b" a @ " * MIB, From=b"@" * MIB),
    "encoded words": fields(Subject=b"=?utf-8?q?a?= " * 80_000, From=b"=?" * MIB, To=b"=?a?q?" * MIB),
    "dates": fields(Date=b"1" * MIB) + fields(Date=b"Mon " * MIB),
    "a million delimiters": b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"--x\r\n" * MIB,
    "a million near misses": b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"--xy\n" * MIB,
    "parts full of parameters": multipart(b"Content-Type: a/b" + b";a=b" * 250 + b"\r\n\r\n", 2_000),
    "parts full of languages": multipart(b"Content-Language: " + b"a," * 500 + b"\r\n\r\n", 2_000),
    "parts full of comments": multipart(b"Content-Type: " + b"()" * 500 + b"\r\n\r\n", 2_000),
    "messages full of addresses": b"Content-Type: multipart/digest; boundary=x\r\n\r\n"
    + (b"--x\r\n\r\nTo: " + b"a," * 32_000 + b"\r\n\r\n\r\n") * 160,
    "combining marks": fields(Subject="\u0301\u0316".encode() * 10_000)
    + b"\r\n".join(["\u0301\u0316".encode() * 300_000]),
    "markup": b"Content-Type: text/html\r\n\r\n" + b"<" * MIB + b"</style " * MIB + b"<!--" * MIB,
    "digits of an entity": b"Content-Type: text/html\r\n\r\n&#" + b"1" * 10_000 + b";",
}


@pytest.mark.parametrize("name", TRAPS)
def test_trap(name, wire):
    raw = TRAPS[name]
    summary = summarize(raw)
    envelope, structure = wire.read(summary.envelope), wire.read(summary.bodystructure)
    wire.check_envelope(envelope)
    wire.check_body(structure)
    body_wire(summary.bodystructure)
    # Ten fields of 64 KiB, at most MAX_ADDRESSES addresses between them, each wrapped in some 60 octets.
    assert len(summary.envelope) < 10 * 2 * MAX_FIELD_OCTETS + 60 * MAX_ADDRESSES
    assert len(summary.bodystructure) < 4 * MIB
    assert summary.bodystructure.count(b'"7bit"') <= MAX_PARTS
    assert len(summary.to) <= 2 * MAX_FIELD_OCTETS
    header, text = search_text(raw)
    assert len(header) <= MIB
    assert len(text) <= MIB
    assert len(preview(raw)) <= 200
    assert extract(raw, Section(text="HEADER")) + extract(raw, Section(text="TEXT")) == raw
    assert extract(raw, Section((1,))) is not None


def test_a_field_has_at_most_so_many_parameters(wire):
    structure = wire.read(summarize(TRAPS["parameters"]).bodystructure)
    assert len(structure[2]) == 2 * (MAX_FIELD_PARAMS + 1)  # and charset
