import base64

import pytest

from mailraven.message import preview, search_text
from mailraven.message.text import MAX_TEXT


def message(body, content_type=b"text/plain; charset=utf-8", encoding=b"8bit"):
    return b"Content-Type: %b\r\nContent-Transfer-Encoding: %b\r\n\r\n%b" % (content_type, encoding, body)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (message("Grüße".encode()), "grüsse"),
        (message(b"Gr=C3=BC=\r\n=C3=9Fe =ZZ", encoding=b"Quoted-Printable"), "grüsse =zz"),
        (message(base64.b64encode("Grüße".encode()), encoding=b"BASE64"), "grüsse"),
        (message(b"R3LDvMOf*ZQ", encoding=b"base64"), "grüsse"),
        (message(b"YWJj\r\n--\r\nZGVm", encoding=b"base64"), "abcdef"),
        (message(b"\xc4\xe3\xba\xc3", b"text/plain; charset=gb2312"), "你好"),
        (message(b"\xe9", b"text/plain; charset=who-knows"), "é"),
        (message(b"\xe9", b"text/plain"), "é"),
        (message(b"\xff", b"text/plain; charset=utf-8"), "\ufffd"),
        (message(b"a\0b"), "ab"),
        (message(b"x", b"application/octet-stream"), ""),
        (message(b"<p>Hi</p>", b"text/html"), "<p>hi</p>"),
    ],
)
def test_search_text(raw, text):
    assert search_text(raw)[1] == text


def test_the_header_is_decoded_and_folded():
    raw = b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n  an\r\n =?utf-8?q?alle?=\r\nX-Raw: \xc9\r\n\r\nbody"
    assert search_text(raw)[0] == "subject: grüsse  an alle\nx-raw: é"


def test_text_within_messages_counts_with_their_headers():
    head = b"Content-Type: message/rfc822\r\n\r\n"
    raw = head + b"Subject: INNER\r\n" + head + b"From: X@y\r\n\r\nDeep"
    assert search_text(raw)[1] == "subject: inner\ncontent-type: message/rfc822\nfrom: x@y\ndeep"


def test_only_so_much_text_is_kept():
    raw = b"A: " + b"b" * (2 * MAX_TEXT) + b"\r\n\r\n" + b"c" * (2 * MAX_TEXT)
    header, text = search_text(raw)
    assert len(header) < MAX_TEXT
    assert text == "c" * MAX_TEXT
    parts = b"".join(b"--x\r\n\r\n" + b"d" * 300_000 + b"\r\n" for _ in range(10))
    assert len(search_text(b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + parts)[1]) == MAX_TEXT


def multipart(*parts):
    body = b"".join(b"--x\r\n" + part + b"\r\n" for part in parts)
    return b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + body + b"--x--"


HTML = (
    b"<html><head><title>t</title></head><style>p {}</style>"
    b"<p>Tom&nbsp;&amp; J&eacute;r&#244;me<br>x &bogus; &#99999999999;"
)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"A: b\r\n\r\n  Hello,\r\n\r\n world \r\n", "Hello, world"),
        (message(b"word " * 100), ("word " * 100)[:200]),
        (message(HTML, b"text/html"), "Tom & Jérôme x &bogus; \ufffd"),
        (message(b"<!-- x", b"text/html"), ""),
        (message(b"<p title='", b"text/html"), ""),
        (multipart(b"\r\n", message(b"second")), "second"),
        (multipart(b"Content-Type: image/png\r\n\r\nx", b"\r\ntext"), "text"),
        (multipart(b"Content-Disposition: ATTACHMENT\r\n\r\nfile", message(b"<b>seen</b>", b"text/html")), "seen"),
        (message(b"x", b"image/png"), ""),
        (b"", ""),
    ],
)
def test_preview(raw, expected):
    assert preview(raw) == expected
