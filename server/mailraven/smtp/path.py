"""Paths of MAIL and RCPT (RFC 5321 §4.1.2, sizes §4.5.3.1; RFC 6531 §3.3 for non-ASCII ones)."""

import ipaddress
import re
from dataclasses import dataclass

MAX_LOCALPART, MAX_DOMAIN, MAX_PATH = 64, 255, 256  # octets; the path with its angle brackets

# atext of RFC 5322 §3.2.3; RFC 6531 §3.3 adds UTF8-non-ascii to it, to qtextSMTP and to sub-domain.
_ATEXT = r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\u0080-\U0010ffff]"
_DOT_STRING = rf"{_ATEXT}+(?:\.{_ATEXT}+)*"
_QUOTED = r'"(?:[ !#-\[\]-~\u0080-\U0010ffff]|\\[ -~])*"'
_LET_DIG = r"[A-Za-z0-9\u0080-\U0010ffff]"
_SUB_DOMAIN = rf"{_LET_DIG}(?:[A-Za-z0-9\-\u0080-\U0010ffff]*{_LET_DIG})?"
_DOMAIN = rf"{_SUB_DOMAIN}(?:\.{_SUB_DOMAIN})*"
_LITERAL = r"\[[!-Z^-~]+\]"
_AT_DOMAIN = rf"@(?:{_DOMAIN}|{_LITERAL})"

_PATH = re.compile(
    rf"<(?P<route>{_AT_DOMAIN}(?:,{_AT_DOMAIN})*:)?"
    rf"(?P<localpart>{_DOT_STRING}|{_QUOTED})@(?P<domain>{_DOMAIN}|{_LITERAL})>"
)
_DOT_STRING_ONLY = re.compile(rf"{_DOT_STRING}\Z")
_QUOTED_PAIR = re.compile(r"\\(.)")
_NEEDS_PAIR = re.compile(r'(["\\])')
_LDH_DOMAIN = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.\-]*[A-Za-z0-9_])?\Z")


@dataclass(frozen=True, slots=True)
class Path:
    """`localpart` is what it means, without quotes; an empty domain is only that of `<postmaster>`."""

    localpart: str
    domain: str

    @property
    def is_null(self) -> bool:
        return not self.localpart and not self.domain

    @property
    def is_literal(self) -> bool:
        return self.domain.startswith("[")

    @property
    def is_postmaster(self) -> bool:
        return self.localpart.lower() == "postmaster"

    @property
    def address(self) -> str:
        """localpart@domain, quoted only where it must be; empty for the null path."""
        if self.is_null:
            return ""
        localpart = quote_localpart(self.localpart)
        return f"{localpart}@{self.domain}" if self.domain else localpart

    @property
    def is_ascii(self) -> bool:
        return self.localpart.isascii() and self.domain.isascii()


NULL_PATH = Path("", "")


class PathTooLong(ValueError):
    """A part is beyond the sizes of RFC 5321 §4.5.3.1."""


def parse_path(text: str) -> tuple[Path, str] | None:
    """The path that `text` begins with and what follows it; None where there is none.

    A source route is read and dropped (RFC 5321 §4.1.1.3, appendix C): its hosts are never relayed through.
    """
    if text.startswith("<>"):
        return NULL_PATH, text[2:]
    match = _PATH.match(text)
    if match is None:
        bare = re.match(r"<(postmaster)>", text, re.IGNORECASE)  # RFC 5321 §4.1.1.3
        return (Path(bare[1], ""), text[bare.end() :]) if bare else None
    localpart, domain = match["localpart"], match["domain"]
    if len(match[0].encode()) > MAX_PATH:
        raise PathTooLong
    if len(localpart.encode()) > MAX_LOCALPART or len(domain.encode()) > MAX_DOMAIN:
        raise PathTooLong
    if localpart.startswith('"'):
        localpart = _QUOTED_PAIR.sub(r"\1", localpart[1:-1])
        if not localpart:
            return None
    if domain.startswith("["):
        if parse_address_literal(domain) is None:
            return None
    elif any(len(label.encode()) > 63 for label in domain.split(".")):
        return None
    return Path(localpart, domain), text[match.end() :]


def parse_address_literal(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """`[192.0.2.1]` or `[IPv6:2001:db8::1]` (RFC 5321 §4.1.3); general literals have no known tag."""
    if not (text.startswith("[") and text.endswith("]")):
        return None
    inner = text[1:-1]
    try:
        if inner[:5].lower() == "ipv6:":
            return None if "%" in inner else ipaddress.IPv6Address(inner[5:])
        return ipaddress.IPv4Address(inner)
    except ValueError:
        return None


def quote_localpart(localpart: str) -> str:
    if _DOT_STRING_ONLY.match(localpart):
        return localpart
    return '"' + _NEEDS_PAIR.sub(r"\\\1", localpart) + '"'


def is_greeting_name(text: str) -> bool:
    """What we take after EHLO and HELO: a domain or an address literal (RFC 5321 §4.1.1.1).

    Underscores pass: host names of desktops have them, and RFC 5321 §4.1.4 wants no mail refused for a name.
    """
    if not text.isascii() or len(text) > MAX_DOMAIN:
        return False
    return _LDH_DOMAIN.match(text) is not None or parse_address_literal(text) is not None
