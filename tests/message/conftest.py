"""A strict reader of ENVELOPE and BODYSTRUCTURE, by the ABNF of RFC 9051 §9, for the tests of the package."""

import re
from types import SimpleNamespace
from typing import Any

import pytest

QUOTED = re.compile(rb'"((?:[\x01-\x09\x0b\x0c\x0e-\x21\x23-\x5b\x5d-\x7f]|\\["\\])*)"')
LITERAL = re.compile(rb"\{(0|[1-9][0-9]*)\}\r\n")
NUMBER = re.compile(rb"0|[1-9][0-9]*")


def read(wire: bytes) -> Any:
    """Nested lists of bytes, int and None (NIL); nothing may follow. Not recursive: the wire may be deep."""
    stack: list[list[Any]] = [[]]
    position = 0
    while position < len(wire):
        octet = wire[position : position + 1]
        if octet == b"(":
            stack.append([])
            position += 1
            continue
        if octet == b")":
            finished = stack.pop()
            assert finished, "an empty list"
            stack[-1].append(finished)
            position += 1
        elif found := QUOTED.match(wire, position):
            stack[-1].append(re.sub(rb'\\(["\\])', rb"\1", found[1]))
            position = found.end()
        elif found := LITERAL.match(wire, position):
            value = wire[found.end() : found.end() + int(found[1])]
            assert len(value) == int(found[1])
            assert b"\0" not in value
            stack[-1].append(value)
            position = found.end() + len(value)
        elif wire.startswith(b"NIL", position):
            stack[-1].append(None)
            position += 3
        else:
            found = NUMBER.match(wire, position)
            assert found, wire[position : position + 40]
            stack[-1].append(int(found[0]))
            position = found.end()
        following = wire[position : position + 1]
        if following == b" ":
            assert wire[position + 1 : position + 2] not in (b" ", b")", b""), "a space before nothing"
            position += 1
        elif following == b"(":
            assert octet == b")", "no space before a list"  # only bodies of a multipart and addresses have none
        else:
            assert following in (b")", b"")
    assert len(stack) == 1
    assert len(stack[0]) == 1
    return stack[0][0]


def is_nstring(value: Any) -> bool:
    return value is None or isinstance(value, bytes)


def check_envelope(envelope: Any) -> None:
    assert isinstance(envelope, list)
    assert len(envelope) == 10
    assert all(is_nstring(envelope[index]) for index in (0, 1, 8, 9))
    for addresses in envelope[2:8]:
        assert addresses is None or all(len(address) == 4 for address in addresses)
        open_group = False
        for _, _, localpart, domain in addresses or []:
            if domain is None:
                assert open_group == (localpart is None), "groups start and end in turn"
                open_group = localpart is not None
            else:
                assert localpart is not None
        assert not open_group


def check_params(params: Any) -> None:
    assert params is None or (len(params) % 2 == 0 and all(isinstance(value, bytes) for value in params))


def check_extension(rest: list[Any], extensible: bool) -> None:
    """Disposition, language, location."""
    assert len(rest) == (3 if extensible else 0)
    if extensible:
        disposition, language, location = rest
        if disposition is not None:
            assert len(disposition) == 2
            assert isinstance(disposition[0], bytes)
            check_params(disposition[1])
        assert is_nstring(language) or all(isinstance(word, bytes) for word in language)
        assert is_nstring(location)


def check_body(body: Any, extensible: bool = True) -> None:
    pending = [body]
    while pending:
        body = pending.pop()
        assert isinstance(body, list)
        if isinstance(body[0], list):
            count = next(index for index, value in enumerate(body) if not isinstance(value, list))
            pending += body[:count]
            rest = body[count:]
            assert isinstance(rest[0], bytes)
            if extensible:
                check_params(rest[1])
            check_extension(rest[2:] if extensible else rest[1:], extensible)
            continue
        kind, subtype, params, identifier, description, encoding, octets = body[:7]
        assert all(isinstance(value, bytes) for value in (kind, subtype, encoding))
        assert kind.lower() != b"multipart"
        check_params(params)
        assert is_nstring(identifier)
        assert is_nstring(description)
        assert isinstance(octets, int)
        rest = body[7:]
        if kind.lower() == b"message" and subtype.lower() in (b"rfc822", b"global"):
            check_envelope(rest[0])
            pending.append(rest[1])
            assert isinstance(rest[2], int)
            rest = rest[3:]
        elif kind.lower() == b"text":
            assert isinstance(rest[0], int)
            rest = rest[1:]
        if extensible:
            assert is_nstring(rest[0])
            rest = rest[1:]
        check_extension(rest, extensible)


@pytest.fixture(scope="session")
def wire() -> SimpleNamespace:
    return SimpleNamespace(read=read, check_envelope=check_envelope, check_body=check_body)
