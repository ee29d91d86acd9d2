"""Every octet is in the classes that the ABNF names, and in no other."""

import re
from collections.abc import Callable

import pytest

from mailraven.imap import abnf


def is_atom_char(c: int) -> bool:
    """RFC 9051 §9, spelt out again from the other side: what is allowed."""
    letters = range(0x41, 0x5B), range(0x61, 0x7B), range(0x30, 0x3A)
    return any(c in r for r in letters) or c in b"!#$&'+,-./:;<=>?@[^_`|}~"


EXPECTED: dict[str, Callable[[int], bool]] = {
    "CHAR": lambda c: 1 <= c <= 0x7F,
    "CTL": lambda c: c < 0x20 or c == 0x7F,
    "ATOM_CHAR": is_atom_char,
    "ATOM_SPECIALS": lambda c: c < 0x80 and not is_atom_char(c),
    "ASTRING_CHAR": lambda c: is_atom_char(c) or c == ord("]"),
    "TAG_CHAR": lambda c: (is_atom_char(c) or c == ord("]")) and c != ord("+"),
    "LIST_CHAR": lambda c: is_atom_char(c) or c in b"]%*",
    "TEXT_CHAR": lambda c: 1 <= c <= 0x7F and c not in (10, 13),
    "QUOTED_PLAIN": lambda c: 1 <= c <= 0x7F and c not in b'\r\n"\\',
}


@pytest.mark.parametrize("name", EXPECTED)
def test_every_octet_is_in_its_classes(name: str) -> None:
    members = getattr(abnf, name)
    assert [c for c in range(256) if c in members] == [c for c in range(256) if EXPECTED[name](c)]


def test_a_class_as_regular_expression_has_the_same_members() -> None:
    for members in (abnf.ATOM_CHAR, abnf.TAG_CHAR, abnf.LIST_CHAR, abnf.QUOTED_PLAIN):
        pattern = re.compile(abnf.char_class(members))
        assert [c for c in range(256) if pattern.fullmatch(bytes((c,)))] == sorted(members)
