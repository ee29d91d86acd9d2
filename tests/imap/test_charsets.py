"""Charsets of SEARCH."""

import codecs

import pytest

from mailraven.imap.charsets import CHARSETS, codec_of
from mailraven.imap.errors import BadCharset


@pytest.mark.parametrize("charset", CHARSETS)
def test_every_charset_has_a_text_codec(charset: str) -> None:
    assert codecs.lookup(codec_of(charset.lower())).encode("abc")[0].decode(charset) == "abc"


@pytest.mark.parametrize("charset", ["", "X-FOO", "rot13", "idna", "unicode_escape", "utf8", "UTF-7"])
def test_other_codecs_are_not_reachable(charset: str) -> None:
    with pytest.raises(BadCharset):
        codec_of(charset)
