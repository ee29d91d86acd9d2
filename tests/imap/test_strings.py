"""Strings on the way out: never an octet where it must not be."""

from hypothesis import given, settings
from hypothesis import strategies as st

from mailraven.imap import abnf, strings


def test_every_octet_in_a_string_and_an_astring() -> None:
    for c in range(256):
        one = bytes((c,))
        quoted = strings.string(one)
        assert quoted.startswith(b'"') is (c in abnf.TEXT_CHAR), c
        assert (strings.astring(one) == one) is (c in abnf.ATOM_CHAR), c


def test_which_form_is_chosen() -> None:
    assert strings.string(b"") == b'""'
    assert strings.string(b'a"\\') == b'"a\\"\\\\"'
    assert strings.string(b"a\r\nb") == b"{4}\r\na\r\nb"
    assert strings.string(b"x" * 1001).startswith(b"{1001}\r\n")
    assert strings.astring(b"NIL") == b'"NIL"'
    assert strings.nstring(None) == b"NIL"
    assert strings.nstring(b"NIL") == b'"NIL"'


@given(st.text(max_size=600))
@settings(max_examples=100, deadline=None)
def test_text_is_one_harmless_line(text: str) -> None:
    shown = strings.sanitised(text)
    assert len(shown) <= 400
    assert all(0x20 <= c <= 0x7E for c in shown)
