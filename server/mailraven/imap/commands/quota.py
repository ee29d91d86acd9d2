"""GETQUOTA, GETQUOTAROOT, SETQUOTA (RFC 9208 §4.1)."""

from __future__ import annotations

from dataclasses import dataclass

from mailraven.imap.lexer import MAX_NUMBER64, Lexer

_MAX_RESOURCES = 10


@dataclass(frozen=True, slots=True)
class GetQuota:
    """By the name of the quota root, any octets."""

    root: bytes


@dataclass(frozen=True, slots=True)
class GetQuotaRoot:
    """Of a mailbox."""

    mailbox: str


@dataclass(frozen=True, slots=True)
class SetQuota:
    """Limits by resource name, in capitals."""

    root: bytes
    limits: tuple[tuple[str, int], ...]


def parse(lexer: Lexer) -> GetQuota:
    """getquota = "GETQUOTA" SP quota-root-name."""
    lexer.space()
    root = lexer.astring()
    lexer.end()
    return GetQuota(root)


def parse_root(lexer: Lexer) -> GetQuotaRoot:
    """getquotaroot = "GETQUOTAROOT" SP mailbox."""
    lexer.space()
    mailbox = lexer.mailbox()
    lexer.end()
    return GetQuotaRoot(mailbox)


def parse_set(lexer: Lexer) -> SetQuota:
    """setquota = "SETQUOTA" SP quota-root-name SP setquota-list."""
    lexer.space()
    root = lexer.astring()
    lexer.space()
    limits = lexer.parenthesised(lambda: _limit(lexer), _MAX_RESOURCES, empty=True)
    lexer.end()
    return SetQuota(root, tuple(limits))


def _limit(lexer: Lexer) -> tuple[str, int]:
    name = lexer.word()
    lexer.space()
    return name, lexer.number(MAX_NUMBER64)
