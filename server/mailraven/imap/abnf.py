"""Character classes of the IMAP grammar, each under its ABNF (RFC 9051 §9, RFC 5234 §B.1)."""

from __future__ import annotations

# CHAR = %x01-7F
CHAR = bytes(range(0x01, 0x80))
# CTL = %x00-1F / %x7F
CTL = bytes(range(0x20)) + b"\x7f"
# DIGIT = %x30-39
DIGIT = b"0123456789"
# list-wildcards = "%" / "*"
LIST_WILDCARDS = b"%*"
# quoted-specials = DQUOTE / "\"
QUOTED_SPECIALS = b'"\\'
# resp-specials = "]"
RESP_SPECIALS = b"]"
# atom-specials = "(" / ")" / "{" / SP / CTL / list-wildcards / quoted-specials / resp-specials
ATOM_SPECIALS = b"(){ " + CTL + LIST_WILDCARDS + QUOTED_SPECIALS + RESP_SPECIALS
# ATOM-CHAR = <any CHAR except atom-specials>
ATOM_CHAR = bytes(c for c in CHAR if c not in ATOM_SPECIALS)
# ASTRING-CHAR = ATOM-CHAR / resp-specials
ASTRING_CHAR = ATOM_CHAR + RESP_SPECIALS
# tag = 1*<any ASTRING-CHAR except "+">
TAG_CHAR = bytes(c for c in ASTRING_CHAR if c != 0x2B)
# list-char = ATOM-CHAR / list-wildcards / resp-specials
LIST_CHAR = ATOM_CHAR + LIST_WILDCARDS + RESP_SPECIALS
# TEXT-CHAR = <any CHAR except CR and LF>
TEXT_CHAR = bytes(c for c in CHAR if c not in b"\r\n")
# QUOTED-CHAR = <any TEXT-CHAR except quoted-specials> / "\" quoted-specials / UTF8-2 / UTF8-3 / UTF8-4
QUOTED_PLAIN = bytes(c for c in TEXT_CHAR if c not in QUOTED_SPECIALS)
# tagged-label-fchar = ALPHA / "-" / "_" / "."
# tagged-label-char  = tagged-label-fchar / DIGIT / ":"
TAGGED_LABEL_FCHAR = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_."
TAGGED_LABEL_CHAR = TAGGED_LABEL_FCHAR + DIGIT + b":"


def char_class(members: bytes) -> bytes:
    """A regular expression's class of exactly these octets."""
    return b"[" + b"".join(b"\\x%02x" % c for c in members) + b"]"
