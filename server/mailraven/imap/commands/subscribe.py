"""SUBSCRIBE and UNSUBSCRIBE (RFC 9051 §6.3.7, §6.3.8)."""

from __future__ import annotations

from dataclasses import dataclass

from mailraven.imap.lexer import Lexer


@dataclass(frozen=True, slots=True)
class Subscribe:
    """`subscribed`: what is wanted."""

    mailbox: str
    subscribed: bool = True


def parse(lexer: Lexer) -> Subscribe:
    """subscribe = "SUBSCRIBE" SP mailbox."""
    return _parse(lexer, subscribed=True)


def parse_unsubscribe(lexer: Lexer) -> Subscribe:
    """unsubscribe = "UNSUBSCRIBE" SP mailbox."""
    return _parse(lexer, subscribed=False)


def _parse(lexer: Lexer, *, subscribed: bool) -> Subscribe:
    lexer.space()
    mailbox = lexer.mailbox()
    lexer.end()
    return Subscribe(mailbox, subscribed)
