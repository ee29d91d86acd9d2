"""Addresses: what is accepted, what it is looked up by, how it is written."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailraven.directory import Address, AddressError, loggable_login, normalize_domain, parse_address
from mailraven.directory.address import localpart_key, make_address


@pytest.mark.parametrize(
    ("text", "localpart", "domain"),
    [
        ("Anna@Example.ORG", "Anna", "example.org"),
        ("anna@example.org.", "anna", "example.org"),
        ("a.b+tag@localhost", "a.b+tag", "localhost"),
        ("!#$%&'*+-/=?^_`{|}~@example.org", "!#$%&'*+-/=?^_`{|}~", "example.org"),
        ('"anna"@example.org', "anna", "example.org"),
        ('"an na"@example.org', "an na", "example.org"),
        (r'"a\"b\\c"@example.org', r'a"b\c', "example.org"),
        (r'"\a\nna"@example.org', "anna", "example.org"),
        ('"a@b"@example.org', "a@b", "example.org"),
        ("jürgen@müller.example", "jürgen", "xn--mller-kva.example"),
        ("ju\u0308rgen@example.org", "jürgen", "example.org"),
        ("user@MÜLLER.example", "user", "xn--mller-kva.example"),
        ("user@XN--MLLER-KVA.example", "user", "xn--mller-kva.example"),
        ("user@faß.example", "user", "xn--fa-hia.example"),
        ("user@例え。テスト", "user", "xn--r8jz45g.xn--zckzah"),
        ("user@r3---sn-x.example.org", "user", "r3---sn-x.example.org"),
        ("user@[192.0.2.1]", "user", "[192.0.2.1]"),
        ("user@[ipv6:2001:DB8::1]", "user", "[IPv6:2001:db8::1]"),
        ("user@1and1.example", "user", "1and1.example"),
    ],
)  # fmt: skip
def test_an_address_is_taken_apart(text: str, localpart: str, domain: str) -> None:
    assert parse_address(text) == Address(localpart, domain)


@pytest.mark.parametrize(
    "text",
    [
        "", "@", "anna", "anna@", "@example.org", "an na@example.org", ".anna@example.org", "anna.@example.org",
        "an..na@example.org", '"anna@example.org', 'an"na@example.org', '""@example.org', r'"anna\"@example.org',
        "anna@example..org", "anna@.example.org", "anna@-a.example", "anna@a-.example", "anna@exa_mple.org",
        "anna@exa mple.org", "anna@[]", "anna@[192.0.2]", "anna@[192.0.2.1", "anna@[IPv6:192.0.2.1]",
        "anna@[tag:x]", "anna@.", "anna@xn--a.example", "anna@\u202e.example", "anna@a\u200db.example",
        "an\0na@example.org", "an\nna@example.org", '"an\rna"@example.org', '"an\tna"@example.org',
        "an\x85na@example.org", "an\u2028na@example.org", "an\udcffna@example.org", "anna@\udcff.org",
        "anna@" + "a" * 64 + ".org", "<anna@example.org>", "anna@b@example.org", "anna@example.org\n",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(AddressError):
        parse_address(text)


def test_sizes_are_those_of_rfc_5321() -> None:
    domain = ".".join(["d" * 63] * 3)  # 191 octets
    assert parse_address("l" * 62 + "@" + domain)
    assert parse_address("l" * 64 + "@example.org")
    assert parse_address("ü" * 32 + "@example.org")
    assert normalize_domain(".".join(["d" * 63] * 3 + ["d" * 60]))
    for text in (
        "l" * 65 + "@example.org",
        "ü" * 33 + "@example.org",
        "l" * 63 + "@" + domain,
        "l@" + ".".join(["d" * 63] * 3 + ["d" * 62]),
        "l@" + "a." * 128,
        "l@" + "ü" * 300,
        "l" * 1_000_000 + "@example.org",
    ):
        with pytest.raises(AddressError):
            parse_address(text)


@pytest.mark.parametrize(
    ("localpart", "written"),
    [
        ("anna", "anna@example.org"),
        ("an na", '"an na"@example.org'),
        ('a"\\', r'"a\"\\"@example.org'),
        ("a@b", '"a@b"@example.org'),
        (".a", '".a"@example.org'),
        ("jürgen", "jürgen@example.org"),
    ],
)
def test_it_is_written_with_quotes_only_where_they_are_needed(localpart: str, written: str) -> None:
    address = make_address(localpart, "example.org")
    assert str(address) == written
    assert parse_address(written) == address


def test_look_up_ignores_case_and_composition() -> None:
    keys = {parse_address(text).key for text in ("JÜRGEN@a.example", "jürgen@a.example", "Ju\u0308rgen@a.example")}
    assert keys == {"jürgen"}
    assert parse_address('"ANNA"@a.example').canonical == parse_address("anna@a.example")
    # Two letters that only a full case folding makes equal stay two names.
    assert parse_address("straße@a.example").key != parse_address("strasse@a.example").key


@pytest.mark.parametrize(
    ("localpart", "base"), [("anna+x", "anna"), ("anna+x+y", "anna"), ("anna", "anna"), ("+x", "+x"), ("anna+", "anna")]
)  # fmt: skip
def test_the_tag_ends_the_name(localpart: str, base: str) -> None:
    assert make_address(localpart, "example.org").without_tag.localpart == base


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "*.example.org", "example.org/x", "exa\0mple", "ex'ample"])
def test_what_is_no_domain_is_refused(name: str) -> None:
    with pytest.raises(AddressError):
        normalize_domain(name)


TEXT = st.text(st.characters(), max_size=80) | st.text('aAüÜ\u0308İß+."\\@[]:xn-- \0\n。', max_size=80)


@given(TEXT, TEXT)
@example("İ", "İ.example")
@example("a", "xn--")
@example("a", "xn--0")
def test_nothing_but_address_error_comes_out_and_what_is_accepted_stays_the_same(localpart: str, domain: str) -> None:
    for text in (f"{localpart}@{domain}", f'"{localpart}"@example.org', f"a@{domain}", localpart):
        try:
            address = parse_address(text)
        except AddressError:
            continue
        assert parse_address(str(address)) == address
        assert address.domain.isascii()
        assert normalize_domain(address.domain) == address.domain
        assert localpart_key(address.key) == address.key
        assert len(str(address).encode()) <= 254
        assert "\n" not in str(address)
        assert "\0" not in str(address)


def test_only_an_address_is_written_to_the_log_as_a_login() -> None:
    assert loggable_login("Ann@Example.TEST") == "Ann@example.test"
    assert loggable_login("correct horse battery") == "(not an address)"
    assert loggable_login("x" * 5000 + "@a.test") == "(not an address)"
