import pytest

from mailraven.message.limits import Budget
from mailraven.message.mime import (
    OCTET_STREAM,
    TEXT_PLAIN,
    MediaType,
    disposition,
    languages,
    media_type,
    param,
    strip_comments,
    transfer_encoding,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"text/plain", MediaType(b"text", b"plain")),
        (b"Text/HTML; Charset=utf-8", MediaType(b"Text", b"HTML", ((b"Charset", b"utf-8"),))),
        (b'a/b;c="d;e";f=g', MediaType(b"a", b"b", ((b"c", b"d;e"), (b"f", b"g")))),
        (b'a/b; c="say \\"hi\\" \\\\"', MediaType(b"a", b"b", ((b"c", b'say "hi" \\'),))),
        (b"a/b (x); (y) c (z) = d (w)", MediaType(b"a", b"b", ((b"c", b"d"),))),
        (b'a/b; c="(kept)"', MediaType(b"a", b"b", ((b"c", b"(kept)"),))),
        (b"a/b c=d", MediaType(b"a", b"b", ((b"c", b"d"),))),
        (b"a/b;;;c=d;", MediaType(b"a", b"b", ((b"c", b"d"),))),
        (b"a/b; name=my file.txt; c=d", MediaType(b"a", b"b", ((b"name", b"my file.txt"), (b"c", b"d")))),
        (b'a/b; c="open; d=e', MediaType(b"a", b"b", ((b"c", b"open; d=e"),))),
        (b'a/b; c="x"y; d=e', MediaType(b"a", b"b", ((b"c", b"x"), (b"d", b"e")))),
        (b'a/b; c=; d=""; =e; f', MediaType(b"a", b"b", ((b"c", b""), (b"d", b"")))),
        (b"a/b; n*0*=us-ascii''x; n*1=y", MediaType(b"a", b"b", ((b"n*0*", b"us-ascii''x"), (b"n*1", b"y")))),
        (b" a / b ", MediaType(b"a", b"b")),
        (b"text", TEXT_PLAIN),
        (b"", TEXT_PLAIN),
        (b"/plain", TEXT_PLAIN),
        (b"text/;charset=x", TEXT_PLAIN),
        (b"(comment only", TEXT_PLAIN),
        (None, OCTET_STREAM),
    ],
)
def test_media_type(value, expected):
    assert media_type(value, OCTET_STREAM, Budget()) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"a(b)c", b"a c"),
        (b"a(b(c)d)e", b"a e"),
        (b"a(b\\)c)d", b"a d"),
        (b'"(a)"(b)', b'"(a)" '),
        (b'a(")b', b"a b"),
        (b'a"(b', b'a" '),
        (b"a(b(c)", b"a "),
        (b"a)b", b"a)b"),
    ],
)
def test_comments_are_removed_but_not_from_quoted_strings(value, expected):
    assert strip_comments(value, Budget()) == expected


def test_disposition():
    assert disposition(b"Attachment; filename=a", Budget()) == (b"Attachment", ((b"filename", b"a"),))
    assert disposition(b"inline", Budget()) == (b"inline", ())
    assert disposition(b"inline junk; a=b", Budget()) == (b"inline", ((b"a", b"b"),))
    assert disposition(b"; filename=a", Budget()) is None


def test_languages():
    assert languages(b"en, de (German),,fr", Budget()) == [b"en", b"de", b"fr"]
    assert languages(b"", Budget()) == []


def test_transfer_encoding():
    assert transfer_encoding(None, Budget()) == b"7bit"
    assert transfer_encoding(b" BASE64 (x)", Budget()) == b"BASE64"
    assert transfer_encoding(b";", Budget()) == b"7bit"


def test_parameters_are_looked_up_by_any_case_and_the_first_counts():
    assert param(((b"A", b"1"), (b"a", b"2")), b"a") == b"1"
    assert param((), b"a") is None


def test_all_fields_of_a_message_share_one_allowance():
    budget = Budget(tokens=3)
    assert len(media_type(b"a/b; a=b; c=d", OCTET_STREAM, budget).params) == 2
    assert len(media_type(b"a/b; a=b; c=d", OCTET_STREAM, budget).params) == 1
    assert media_type(b"a/b; a=b; c=d", OCTET_STREAM, budget).params == ()
    assert languages(b"en, de", budget) == []


def test_every_octet_is_taken():
    for octet in range(256):
        value = bytes([octet])
        media_type(b"a/b" + value + b"c" + value + b"=" + value, OCTET_STREAM, Budget())
        disposition(value + b"a" + value, Budget())
        strip_comments(b"(" + value + b")" + value, Budget())
