"""STATUS (RFC 9051 §6.3.11)."""

from __future__ import annotations

from dataclasses import dataclass

from mailraven.imap.lexer import Lexer

# status-att = "MESSAGES" / "RECENT" / "UIDNEXT" / "UIDVALIDITY" / "UNSEEN" / "DELETED" / "SIZE" (RFC 8438)
#   / "HIGHESTMODSEQ" (RFC 7162) / "MAILBOXID" (RFC 8474) / "APPENDLIMIT" (RFC 7889)
STATUS_ITEMS = frozenset({"MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "DELETED", "SIZE"}) | frozenset(
    {"HIGHESTMODSEQ", "MAILBOXID", "APPENDLIMIT"}
)


@dataclass(frozen=True, slots=True)
class Status:
    """Items in capitals, in the order asked for, each once."""

    mailbox: str
    items: tuple[str, ...]


def parse(lexer: Lexer) -> Status:
    """status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")"."""
    lexer.space()
    mailbox = lexer.mailbox()
    lexer.space()
    items = status_items(lexer)
    lexer.end()
    return Status(mailbox, items)


def status_items(lexer: Lexer) -> tuple[str, ...]:
    """The list of items, also for LIST ... RETURN (STATUS (...)) (RFC 5819)."""
    items = lexer.parenthesised(lambda: lexer.choice(STATUS_ITEMS, "STATUS item"), 50)
    return tuple(dict.fromkeys(items))
