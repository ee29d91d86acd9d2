"""Codes that people read from one screen and type into another: app passwords and recovery codes.

They are random, so a fast hash is enough to keep them (NIST SP 800-63B §5.1.2.2).
"""

from __future__ import annotations

import hashlib
import secrets

# Without look-alikes: no i, l, o, 0, 1. 4.95 bits a character.
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUP = 4
_IGNORED = str.maketrans("", "", "- \t\u00a0")
_MAXIMUM = 100  # characters; nothing longer is a code


def make_code(groups: int) -> str:
    """`abcd-efgh-…`: 19.8 bits a group."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(_GROUP)) for _ in range(groups))


def digest(code: str) -> bytes:
    """What is stored and looked up. Case, spaces and hyphens make no difference; the time depends on nothing."""
    text = code.translate(_IGNORED).lower() if len(code) <= _MAXIMUM else ""
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()
