"""Flag names and masks."""

import pytest

from mailraven.imap import abnf
from mailraven.imap.errors import SyntaxProblem
from mailraven.imap.flags import RECENT, SYSTEM_FLAGS, Flags, flag_names, flags_of, keyword
from mailraven.mailstore import flags as stored


def test_the_bits_are_those_of_the_mailstore() -> None:
    for bit, name in enumerate(SYSTEM_FLAGS):
        assert stored.SYSTEM_FLAGS[name] == 1 << bit
    assert stored.keyword_bit(stored.MAX_KEYWORDS - 1) < RECENT


def test_system_flags_in_any_case_and_keywords_once() -> None:
    assert flags_of([b"\\SEEN", b"\\seen", b"\\Draft"]) == Flags(17, ())
    assert flags_of([b"$Forwarded", b"$FORWARDED", b"Junk"]) == Flags(0, ("$Forwarded", "Junk"))
    assert flags_of([]) == Flags()


@pytest.mark.parametrize("name", [b"\\Recent", b"\\*", b"\\", b"\\Foo", b"", b"a b", b"a\\b", b"\xff", b"x" * 101])
def test_flags_that_nobody_may_set(name: bytes) -> None:
    with pytest.raises(SyntaxProblem):
        flags_of([name])


def test_every_octet_in_a_keyword() -> None:
    for c in range(256):
        if c in abnf.ATOM_CHAR:
            assert keyword(bytes((c,))) == chr(c)
        else:
            with pytest.raises(SyntaxProblem):
                keyword(bytes((c,)))
    assert len(keyword(b"x" * 100)) == 100


def test_names_of_a_mask() -> None:
    assert flag_names(0, ()) == []
    assert flag_names(31 | RECENT | 1 << 6, ("a", "b")) == [*SYSTEM_FLAGS, "b", "\\Recent"]
    assert flag_names(1 << 62, [f"k{n}" for n in range(58)]) == ["k57"]
    assert flag_names(1 << 40, ("a",)) == []
    for mask in (1, 2 | 1 << 5, 1 << 6):
        assert flag_names(mask, ("a", "b")) == stored.flag_names(("a", "b"), mask)
