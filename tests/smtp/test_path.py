"""Paths: the grammar of RFC 5321 §4.1.2 and its sizes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailraven.smtp.path import (
    NULL_PATH,
    Path,
    PathTooLong,
    is_greeting_name,
    parse_address_literal,
    parse_path,
)


@pytest.mark.parametrize(
    ("text", "localpart", "domain", "address"),
    [
        ("<a@b.example>", "a", "b.example", "a@b.example"),
        ("<a.b+c=d@B.Example>", "a.b+c=d", "B.Example", "a.b+c=d@B.Example"),
        ("<!#$%&'*/?^_`{|}~-@x>", "!#$%&'*/?^_`{|}~-", "x", "!#$%&'*/?^_`{|}~-@x"),
        ('<"a b"@x>', "a b", "x", '"a b"@x'),
        ('<"ab"@x>', "ab", "x", "ab@x"),  # needless quotes: the same mailbox (RFC 5321 §4.1.2)
        (r'<"a\"\\b"@x>', 'a"\\b', "x", r'"a\"\\b"@x'),
        ('<"user@other.example"@x>', "user@other.example", "x", '"user@other.example"@x'),
        ("<a@[192.0.2.1]>", "a", "[192.0.2.1]", "a@[192.0.2.1]"),
        ("<a@[IPv6:2001:db8::1]>", "a", "[IPv6:2001:db8::1]", "a@[IPv6:2001:db8::1]"),
        ("<@one.example,@two.example:a@b>", "a", "b", "a@b"),
        ("<@[192.0.2.1]:a@b>", "a", "b", "a@b"),
        ("<postmaster>", "postmaster", "", "postmaster"),
        ("<PostMaster>", "PostMaster", "", "PostMaster"),
        ("<jörg@bücher.example>", "jörg", "bücher.example", "jörg@bücher.example"),
    ],
)
def test_paths(text: str, localpart: str, domain: str, address: str):
    found = parse_path(text + " rest")
    assert found is not None
    path, rest = found
    assert (path.localpart, path.domain, path.address, rest) == (localpart, domain, address, " rest")


def test_null_path():
    assert parse_path("<> SIZE=1") == (NULL_PATH, " SIZE=1")
    assert NULL_PATH.is_null
    assert NULL_PATH.address == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a@b",
        "<a>",
        "<a@>",
        "<@b>",
        "<a@b",
        "<a b@c>",
        "<a..b@c>",
        "<.a@c>",
        "<a.@c>",
        "<a@b..c>",
        "<a@.b>",
        "<a@b.>",
        "<a@-b>",
        "<a@b->",
        "<a@b_c>",
        "<a@@b>",
        "<a@b@c>",
        '<""@b>',
        '<"a@b>',
        '<"a"b@c>',
        "<a@[300.1.1.1]>",
        "<a@[1.2.3]>",
        "<a@[IPv6:::g]>",
        "<a@[IPv6:fe80::1%eth0]>",
        "<a@[x]>",
        "<a@[]>",
        "<a@b\r\n>",
        "<a@b\n>",
        "<a\0@b>",
        '<"a\r"@b>',
        "<<a@b>>",
        "<a@" + "x" * 64 + ".example>",
        "<@a>",
        "<@a:>",
        "<@a,b:c@d>",
        "<root>",
    ],
)
def test_what_is_not_a_path(text: str):
    assert parse_path(text) is None


def test_sizes_are_taken_up_to_the_limit_and_refused_beyond():
    assert parse_path(f"<{'a' * 64}@b>") is not None
    with pytest.raises(PathTooLong):
        parse_path(f"<{'a' * 65}@b>")
    label = "x" * 60
    domain = ".".join([label] * 4)  # 243
    assert parse_path(f"<aaaaaaaaaa@{domain}>") is not None  # 256 with the brackets
    with pytest.raises(PathTooLong):
        parse_path(f"<aaaaaaaaaaa@{domain}.x>")
    with pytest.raises(PathTooLong):
        parse_path(f"<{'ä' * 33}@b>")  # octets, not characters


@given(st.text(max_size=300))
def test_nothing_breaks_the_parser(text: str):
    for candidate in (text, f"<{text}>", f"<{text}@x>", f'<"{text}"@x>'):
        try:
            parse_path(candidate)
        except PathTooLong:
            pass


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=30))
def test_any_printable_localpart_survives_quoting(localpart: str):
    found = parse_path(f"<{Path(localpart, 'example.test').address}>")
    assert found is not None
    assert found[0].localpart == localpart


def test_every_octet_in_a_dot_string():
    found = {chr(code): parse_path(f"<{chr(code)}@x>") for code in range(256)}
    taken = {char for char, parsed in found.items() if parsed is not None and not parsed[1]}
    atext = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~")
    assert {char for char in taken if char.isascii()} == atext


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("client.example", True),
        ("localhost", True),
        ("my_pc", True),
        ("[192.0.2.1]", True),
        ("[IPv6:::1]", True),
        ("", False),
        ("a b", False),
        ("[1.2.3.4", False),
        ("[x]", False),
        ("<a>", False),
        ("a\tb", False),
        ("bücher.example", False),
        ("x" * 256, False),
        ("-a", False),
    ],
)
def test_greeting_names(name: str, good: bool):
    assert is_greeting_name(name) is good


def test_address_literals():
    assert parse_address_literal("192.0.2.1") is None
    assert str(parse_address_literal("[ipv6:::1]")) == "::1"
