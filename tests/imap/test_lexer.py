"""Tokens: each kind is read as itself and as nothing else."""

from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailraven.imap import abnf, strings
from mailraven.imap.errors import SyntaxProblem
from mailraven.imap.lexer import Lexer, Literal
from mailraven.imap.literals import announcement


def lexer(*parts: bytes | Literal) -> Lexer:
    """Fragments and literals, as they alternate."""
    return Lexer([p for p in parts if isinstance(p, bytes)], [p for p in parts if isinstance(p, Literal)], utf8=False)


def ended(one: Lexer, read: Callable[[], object]) -> object:
    """What `read` gives, when nothing is left after it."""
    value = read()
    one.end()
    return value


def wire(octets: bytes) -> Lexer:
    """A lexer over a string as `strings` renders it."""
    line, literals = octets, []
    if octets.startswith(b"{"):
        head, _, rest = octets.partition(b"\r\n")
        follows = announcement(head)
        assert follows is not None
        assert follows.size == len(rest)
        line, literals = b"", [Literal(rest)]
        return Lexer([line, b""], literals)
    return Lexer([line])


def test_every_octet_as_an_atom_and_as_an_astring() -> None:
    for c in range(256):
        for read, members in ((Lexer.atom, abnf.ATOM_CHAR), (Lexer.astring, abnf.ASTRING_CHAR)):
            one = lexer(bytes((c,)))
            if c in members:
                read(one)
                one.end()
            else:
                with pytest.raises(SyntaxProblem):
                    read(one)


def test_every_octet_in_a_quoted_string() -> None:
    for c in range(256):
        quoted = lexer(b'"' + bytes((c,)) + b'"')
        if c in abnf.QUOTED_PLAIN:
            assert quoted.quoted() == bytes((c,))
        else:
            with pytest.raises(SyntaxProblem):  # a second DQUOTE is left over
                ended(quoted, quoted.quoted)
        escaped = lexer(b'"\\' + bytes((c,)) + b'"')
        if c in b'"\\':
            assert escaped.quoted() == bytes((c,))
        else:
            with pytest.raises(SyntaxProblem):
                escaped.quoted()


def test_every_octet_in_a_literal() -> None:
    for c in range(256):
        octets = bytes((c,))
        assert lexer(b"", Literal(octets, binary=True), b"").literal().octets == octets
        plain = lexer(b"", Literal(octets), b"")
        if c:
            assert plain.string() == octets
        else:
            with pytest.raises(SyntaxProblem, match="NUL"):
                plain.string()


def test_utf8_may_be_quoted_and_other_octets_may_not() -> None:
    assert lexer('"Ä"'.encode()).quoted() == "Ä".encode()
    for octets in (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\x80"):
        with pytest.raises(SyntaxProblem, match="UTF-8"):
            lexer(b'"' + octets + b'"').quoted()


def test_nil_is_a_bare_word_only() -> None:
    assert lexer(b"nIl").nstring() is None
    assert lexer(b'"NIL"').nstring() == b"NIL"
    assert lexer(b'""').nstring() == b""
    assert lexer(b"", Literal(b"NIL"), b"").nstring() == b"NIL"
    assert lexer(b"NIL").astring() == b"NIL"
    with pytest.raises(SyntaxProblem):
        lexer(b"atom").nstring()
    with pytest.raises(SyntaxProblem):
        lexer(b"NIL").string()


def test_a_literal8_is_no_string() -> None:
    with pytest.raises(SyntaxProblem):
        lexer(b"", Literal(b"x", binary=True), b"").astring()


@given(st.binary(max_size=60).filter(lambda octets: b"\0" not in octets))
@settings(max_examples=200, deadline=None)
def test_what_the_server_renders_as_a_string_is_read_back(octets: bytes) -> None:
    for render in (strings.string, strings.literal):
        assert wire(render(octets)).string() == octets
    assert wire(strings.astring(octets)).astring() == octets
    assert wire(strings.nstring(octets)).nstring() == octets


@pytest.mark.parametrize(
    ("text", "value"),
    [(b"0", 0), (b"4294967295", 4294967295), (b"007", 7), (b"0" * 500 + b"1", 1), (b"4294967296", None)]
    + [(b"9" * n, None) for n in (10, 19, 20, 60_000)]
    + [(b"", None), (b"-1", None), (b"+1", None), (b" 1", None), ("٣".encode(), None)],
)
def test_numbers_have_32_bits(text: bytes, value: int | None) -> None:
    if value is None:
        with pytest.raises(SyntaxProblem):
            lexer(text).number()
    else:
        assert lexer(text).number() == value


def test_nz_number_does_not_begin_with_zero() -> None:
    assert lexer(b"1").nz_number() == 1
    for text in (b"0", b"01"):
        with pytest.raises(SyntaxProblem):
            lexer(text).nz_number()


def test_numbers_of_63_bits() -> None:
    assert lexer(b"9223372036854775807").number(2**63 - 1) == 2**63 - 1
    with pytest.raises(SyntaxProblem):
        lexer(b"9223372036854775808").number(2**63 - 1)


def test_lists_have_one_space_between_elements() -> None:
    one = lexer(b"(a b c)")
    assert one.parenthesised(one.atom, 3) == ["a", "b", "c"]
    for text in (b"(a  b)", b"( a)", b"(a )", b"(a", b"a)", b"(a,b c", b"()"):
        broken = lexer(text)
        with pytest.raises(SyntaxProblem):
            broken.parenthesised(broken.atom, 3)
    many = lexer(b"(a b c d)")
    with pytest.raises(SyntaxProblem, match="more than 3"):
        many.parenthesised(many.atom, 3)


def test_mailbox_names() -> None:
    assert lexer(b"inBox").mailbox() == "INBOX"
    assert lexer(b'"inbox/Sub"').mailbox() == "INBOX/Sub"
    assert lexer(b"inboxes").mailbox() == "inboxes"
    assert lexer(b"Entw&APw-rfe").mailbox() == "Entwürfe"
    assert Lexer(['"Entwürfe"'.encode()], utf8=True).mailbox() == "Entwürfe"
    for text in (b'""', '"Ä"'.encode(), b"a" * 1001, b"a*", b"a%"):
        one = lexer(text)
        with pytest.raises(SyntaxProblem):
            ended(one, one.mailbox)
    with pytest.raises(SyntaxProblem, match="control"):
        lexer(b"", Literal(b"a\r\nb"), b"").mailbox()


def test_patterns_keep_their_wildcards() -> None:
    assert lexer(b"*%]").list_mailbox() == "*%]"
    assert lexer(b'""').list_mailbox() == ""
    assert lexer(b'"*"').list_mailbox() == "*"


def test_dates_quoted_and_bare() -> None:
    assert lexer(b"1-Feb-2024").date() == lexer(b'"01-FEB-2024"').date() == date(2024, 2, 1)


def test_a_lexer_needs_a_literal_between_fragments() -> None:
    with pytest.raises(ValueError, match="between"):
        Lexer([b"a", b"b"])
