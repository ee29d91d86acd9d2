import unicodedata

import pytest

from mailraven.message import decode_words, fold


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"plain", "plain"),
        (b"", ""),
        (b"=?utf-8?q?caf=C3=A9?=", "café"),
        (b"=?UTF-8?B?Y2Fmw6k=?=", "café"),
        (b"=?iso-8859-1?Q?a_b=5Fc?=", "a b_c"),
        (b"=?utf-8*en?q?x?=", "x"),
        (b"a =?utf-8?q?b?= c", "a b c"),
        (b"=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
        (b"=?utf-8?q?a?=\t =?iso-8859-1?q?=E9?=", "aé"),
        (b"=?utf-8?q?a?= x =?utf-8?q?b?=", "a x b"),
        (b"=?utf-8?q?caf=C3?= =?utf-8?q?=A9?=", "café"),
        (b"=?utf-8?q?a?==?utf-8?q?b?=", "ab"),
        (b"Re: [x]=?utf-8?q?a?=", "Re: [x]a"),
        (b"=?gb2312?B?xOO6ww==?=", "你好"),
        (b"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本"),
        (b"=?no-such?q?=E9?=", "é"),
        (b"=?utf-8?b?YWJj?", "=?utf-8?b?YWJj?"),
        (b"=?utf-8?x?abc?=", "=?utf-8?x?abc?="),
        (b"=?utf-8?b?YW!Jj?=", "abc"),
        (b"=?utf-8?b?YWJ?=", "ab"),
        (b"=?utf-8?b?Y?=", ""),
        (b"=?utf-8?b?====?=", ""),
        (b"=?utf-8?q?=ZZ=?=", "=ZZ"),
        (b"=?utf-8?q?=FF?=", "\ufffd"),
        (b"=?us-ascii?q?=E9t=E9?=", "été"),
        (b"gr\xc3\xbc\xc3\x9fe", "grüße"),
        (b"gr\xfc\xdfe", "grüße"),
        (b"\xe9 =?utf-8?q?x?=", "é x"),
        (b"gr\xc3\xbc\xc3", "grü\ufffd"),
    ],
)
def test_decode_words(value, text):
    assert decode_words(value) == text


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Hello", "hello"),
        ("Straße", "strasse"),
        ("GRÜSSE", "grüsse"),
        ("U\u0308", "\u00fc"),
        ("a\0b", "ab"),
        ("é\0", "é"),
        ("\u03a3\u03c2", "\u03c3\u03c3"),
        ("", ""),
    ],
)
def test_fold(text, folded):
    assert fold(text) == folded


def test_folding_twice_changes_nothing():
    for code in range(0x11000):
        if not 0xD800 <= code < 0xE000:
            once = fold("a" + chr(code))
            assert fold(once) == once
            assert unicodedata.is_normalized("NFC", once)


def test_long_text_is_folded_as_short_text_is():
    text = "Größe und Straße, " * 200
    assert fold(text) == "".join(fold(word + " ") for word in text.split(" "))[:-1]


def test_a_long_run_of_combining_marks_is_folded_in_pieces():
    marks = "\u0301\u0316" * 50_000
    assert len(fold("a" + marks)) in (len(marks), len(marks) + 1)
