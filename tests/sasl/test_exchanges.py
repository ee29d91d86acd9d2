"""PLAIN and LOGIN, and the base64 around them."""

import pytest

from mailraven.sasl import (
    Challenge,
    Credentials,
    Malformed,
    decode_response,
    encode_challenge,
    parse_plain,
    start,
)


def test_plain_with_an_initial_response_is_complete_at_once():
    exchange = start("plain")
    assert exchange is not None
    assert exchange.step(b"\0alice@example.test\0s3cret") == Credentials("alice@example.test", "s3cret")


def test_plain_without_an_initial_response_asks_with_an_empty_challenge():
    exchange = start("PLAIN")
    assert exchange is not None
    assert exchange.step(None) == Challenge(b"")
    assert exchange.step("\0ä\0ö".encode()) == Credentials("ä", "ö")


@pytest.mark.parametrize(
    "message",
    [b"", b"alice", b"\0alice", b"\0alice\0", b"\0\0x", b"\0a\0b\0c", b"\0\xff\0x", b"\0a\0" + b"x" * 1025],
)
def test_plain_refuses_what_rfc_4616_does_not_allow(message: bytes):
    assert isinstance(parse_plain(message), Malformed)


def test_an_authorization_identity_must_be_the_login():
    own, other = parse_plain(b"alice\0alice\0x"), parse_plain(b"bob\0alice\0x")
    assert isinstance(own, Credentials)
    assert isinstance(other, Credentials)
    assert own.acts_for_itself
    assert not other.acts_for_itself


def test_login_asks_for_both():
    exchange = start("LOGIN")
    assert exchange is not None
    assert exchange.step(None) == Challenge(b"Username:")
    assert exchange.step(b"alice") == Challenge(b"Password:")
    assert exchange.step(b"secret") == Credentials("alice", "secret")


def test_login_takes_the_name_as_initial_response():
    exchange = start("LOGIN")
    assert exchange is not None
    assert exchange.step(b"alice") == Challenge(b"Password:")
    assert exchange.step(b"secret") == Credentials("alice", "secret")


@pytest.mark.parametrize("answer", [b"", b"\xff", b"a\0b", b"x" * 1025])
def test_login_refuses_broken_answers(answer: bytes):
    exchange = start("LOGIN")
    assert exchange is not None
    exchange.step(None)
    assert isinstance(exchange.step(answer), Malformed)


def test_a_password_never_shows_in_a_repr():
    assert "secret" not in repr(Credentials("alice", "secret"))


def test_an_unknown_mechanism_is_none():
    assert start("CRAM-MD5") is None


@pytest.mark.parametrize(
    ("token", "octets"),
    [
        (b"", b""),
        (b"YWJj", b"abc"),
        (b"YQ==", b"a"),
        (b"YQ=", None),
        (b"YQ", None),
        (b"YW Jj", None),
        (b"YWJj\0", None),
        (b"YQ==YQ==", None),
        (b"=", None),
        (b"\xff\xff", None),
    ],
)
def test_base64_is_strict(token: bytes, octets: bytes | None):
    assert decode_response(token) == octets


def test_an_equals_sign_is_an_empty_initial_response():
    assert decode_response(b"=", initial=True) == b""


def test_challenges_have_no_line_end():
    assert encode_challenge(b"x" * 100).isalnum() or b"\n" not in encode_challenge(b"x" * 100)
