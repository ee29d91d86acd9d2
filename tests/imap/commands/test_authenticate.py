"""AUTHENTICATE and LOGIN: secrets in, never shown."""

import base64
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailraven.imap.commands import authenticate, login
from mailraven.imap.commands.authenticate import Authenticate, parse_response
from mailraven.imap.errors import SyntaxProblem
from mailraven.imap.lexer import Lexer, Literal


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_initial_responses(octets: bytes) -> None:
    coded = base64.b64encode(octets)
    assert authenticate.parse(Lexer([b" plain " + (coded or b"=")])) == Authenticate("PLAIN", octets)
    assert parse_response(coded) == octets


def test_none_and_cancelled() -> None:
    assert authenticate.parse(Lexer([b" PLAIN"])) == Authenticate("PLAIN")
    assert parse_response(b"*") is None


@pytest.mark.parametrize(
    "text", [b"a", b"ab", b"abc", b"ab=", b"a===", b"abcde", b"abcd=", b"ab==abcd", b"ab!=", b"abcd ", b"ab-_", b"=="]
)
def test_bad_base64(text: bytes) -> None:
    with pytest.raises(SyntaxProblem):
        parse_response(text)
    with pytest.raises(SyntaxProblem):
        authenticate.parse(Lexer([b" PLAIN " + text]))


@pytest.mark.parametrize("text", [b"", b" ", b" PLAIN ", b" PLAIN =x", b' "PLAIN"', b" PLAIN a b"])
def test_what_is_no_authenticate(text: bytes) -> None:
    with pytest.raises(SyntaxProblem):
        authenticate.parse(Lexer([text]))


def test_long_base64_is_checked_in_linear_time() -> None:
    started = time.process_time()
    with pytest.raises(SyntaxProblem):
        parse_response(b"A" * 65_535 + b"!")
    assert time.process_time() - started < 0.5


def test_login_takes_any_astring() -> None:
    assert login.parse(Lexer([b' joe "pa ss\\"\xc3\xa4"'])) == login.Login("joe", 'pa ss"ä')
    assert login.parse(Lexer([b" ", b" ", b""], [Literal(b"joe"), Literal(b"")])) == login.Login("joe", "")


@pytest.mark.parametrize("text", [b"", b" joe", b" joe ", b" joe a b", b" joe (a)", b" joe " + b"x" * 1025])
def test_what_is_no_login(text: bytes) -> None:
    with pytest.raises(SyntaxProblem):
        login.parse(Lexer([text]))


def test_secrets_do_not_show() -> None:
    assert "hunter2" not in repr(login.parse(Lexer([b" joe hunter2"])))
    assert "secret" not in repr(authenticate.parse(Lexer([b" PLAIN " + base64.b64encode(b"secret")])))
    with pytest.raises(SyntaxProblem, match="UTF-8"):
        login.parse(Lexer([b" joe ", b""], [Literal(b"\xff")]))
