"""Modified UTF-7 in both directions."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailraven.imap import strings
from mailraven.imap.errors import SyntaxProblem
from mailraven.imap.mailbox_name import canonical, decode_mailbox, decode_pattern, decode_utf7, encode_utf7

text = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30)


@given(text)
@settings(max_examples=300, deadline=None)
def test_every_name_comes_back(name: str) -> None:
    encoded = encode_utf7(name)
    assert decode_utf7(encoded) == name
    assert all(0x20 <= c < 0x7F for c in encoded)


@given(st.binary(max_size=12) | st.text("&-ABab,+/=", max_size=12).map(str.encode))
@settings(max_examples=500, deadline=None)
def test_what_decodes_has_one_encoding(octets: bytes) -> None:
    try:
        name = decode_utf7(octets)
    except SyntaxProblem:
        return
    if name.isprintable():
        assert encode_utf7(name) == octets


@pytest.mark.parametrize(
    ("name", "octets"),
    [
        ("~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),  # RFC 3501 §5.1.3
        ("Entwürfe", b"Entw&APw-rfe"),
        ("A&B", b"A&-B"),
        ("&", b"&-"),
        ("😀", b"&2D3eAA-"),
        ("", b""),
    ],
)
def test_known_names(name: str, octets: bytes) -> None:
    assert encode_utf7(name) == octets
    assert decode_utf7(octets) == name


@pytest.mark.parametrize(
    "octets",
    [
        b"&",
        b"&AGE",  # no end
        b"&AGE-",  # a letter must not be encoded
        b"&Jjo!",
        b"&U,BTFw-&ZeVnLIqe-",  # RFC 3501 §5.1.3: superfluous shift
        b"&ACY-",  # "&" itself must be "&-"
        b"&2D0-",  # half a surrogate pair
        b"&AP-",  # half a character
        b"&APx-",  # bits left over
        b"&APw=-",
        b"&AP/8-",
        b"\xc3\xa4",
        b"a\xff",
    ],
)
def test_what_is_not_modified_utf7(octets: bytes) -> None:
    with pytest.raises(SyntaxProblem):
        decode_mailbox(octets)


@pytest.mark.parametrize("octets", [b"a\0b", b"a\rb", b"\x7f", b"&AAo-", b"&AAA-", b""])
def test_control_characters_and_emptiness_are_refused(octets: bytes) -> None:
    with pytest.raises(SyntaxProblem):
        decode_mailbox(octets)
    with pytest.raises(SyntaxProblem, match="UTF-8"):
        decode_mailbox(b"\xff", utf8=True)


def test_inbox_in_any_case_also_as_the_first_level() -> None:
    assert [canonical(n) for n in ("inbox", "Inbox/a", "inboxa", "a/inbox", "INBO")] == [
        "INBOX",
        "INBOX/a",
        "inboxa",
        "a/inbox",
        "INBO",
    ]
    assert decode_pattern(b"") == ""


def test_names_on_the_way_out() -> None:
    assert strings.mailbox("INBOX") == b"INBOX"
    assert strings.mailbox("a b") == b'"a b"'
    assert strings.mailbox("nil") == b'"nil"'
    assert strings.mailbox("") == b'""'
    assert strings.mailbox("ü*") == b'"&APw-*"'
    assert strings.mailbox("ü", utf8=True) == '"ü"'.encode()
    assert strings.mailbox("a&b", utf8=True) == b"a&b"
