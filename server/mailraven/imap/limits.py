"""How much of a command is read at all; checked before reading (RFC 7888 §4, RFC 7889)."""

from __future__ import annotations

from dataclasses import dataclass

MAX_NESTING = 50
"""Parentheses, and NOT, inside one another."""
MAX_SEARCH_KEYS = 1000
MAX_LIST_PATTERNS = 100
MAX_FLAGS = 200
MAX_MAILBOX_NAME = 1000
"""Octets of a mailbox name or LIST pattern as sent; other names are shorter still."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Octets. A message literal is one of APPEND's; before login it is not special."""

    line: int = 65_536
    """One line, without literals."""
    literal: int = 65_536
    """One literal that is not a message."""
    command: int = 262_144
    """All lines and literals of one command together, messages not counted."""
    message: int = 52_428_800
    """All message literals of one command together (APPENDLIMIT)."""
    discard: int = 134_217_728
    """What is read and thrown away to find the end of a refused command; beyond it the connection must end."""


# A stranger may make us hold this much and no more.
BEFORE_LOGIN = Limits(line=8192, literal=4096, command=8192, message=4096, discard=65_536)
