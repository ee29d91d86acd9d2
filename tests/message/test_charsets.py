import codecs

import pytest

from mailraven.message.charsets import CODECS, decode


@pytest.mark.parametrize("name", sorted(CODECS))
def test_every_codec_exists_and_decodes_anything_into_text_that_utf8_can_hold(name):
    codecs.lookup(CODECS[name])
    everything = bytes(range(256)) + bytes(range(255, -1, -1)) + b"\xd8\x00\xdc\x00+2AA-\x1b$B!\x80"
    decode(everything, name.encode()).encode()
    decode(b"\x00\xd8\x00\x00", name.encode()).encode()


@pytest.mark.parametrize(
    "name", [b"idna", b"punycode", b"unicode_escape", b"zip", b"hex", b"rot13", b"undefined", b"no-such", b"\xff", b""]
)
def test_other_names_reach_no_codec_and_mean_latin1(name):
    assert decode(b"caf\xe9", name) == "café"


def test_names_are_taken_in_any_case_with_space_around():
    assert decode(b"caf\xe9", b" ISO-8859-15 ") == "café"


def test_latin1_is_read_as_the_windows_charset_that_contains_it():
    assert decode(b"\x80 5", b"iso-8859-1") == "€ 5"
