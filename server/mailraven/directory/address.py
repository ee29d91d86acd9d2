"""Addresses: parsing, the key they are looked up by, plus-addressing. Pure.

RFC 5321 §4.1.2 and §4.5.3.1, RFC 6531 §3.3, RFC 5890/5891 with the mapping of UTS 46, RFC 5233.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from dataclasses import dataclass

import idna

from mailraven.directory.errors import AddressError

LOCALPART_OCTETS = 64  # RFC 5321 §4.5.3.1.1
DOMAIN_OCTETS = 255  # RFC 5321 §4.5.3.1.2
ADDRESS_OCTETS = 254  # RFC 5321 §4.5.3.1.3: a path has 256 with its angle brackets

# RFC 5322 §3.2.3 atext, and UTF-8 beyond ASCII (RFC 6531 §3.3); categories are checked apart.
_ATOM = r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\u0080-\U0010ffff]+"
_DOT_STRING = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
# RFC 5321 §4.1.2: QcontentSMTP = qtextSMTP / quoted-pairSMTP
_QUOTED_STRING = re.compile(r'"((?:[ !#-\[\]-~\u0080-\U0010ffff]|\\[ -~])*)"')
_QUOTED_PAIR = re.compile(r"\\(.)")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# Controls, surrogates (octets that were not UTF-8), line and paragraph separators: never in an address.
_FORBIDDEN = frozenset({"Cc", "Cs", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class Address:
    """`localpart` is unquoted and NFC, its case as given; `domain` is lower-case A-labels or a literal."""

    localpart: str
    domain: str

    def __str__(self) -> str:
        return f"{quote_localpart(self.localpart)}@{self.domain}"

    @property
    def key(self) -> str:
        """What look-ups compare the localpart by: lower case, NFC."""
        return localpart_key(self.localpart)

    @property
    def canonical(self) -> Address:
        """The same with the localpart as it is stored."""
        return Address(self.key, self.domain)

    @property
    def without_tag(self) -> Address:
        """`user+tag` -> `user` (RFC 5233 §4); itself where there is no tag."""
        return Address(plus_base(self.localpart), self.domain)


def parse_address(text: str) -> Address:
    """`localpart@domain`, also with quotes or an address literal. Raises AddressError, nothing else."""
    if len(text) > 4 * ADDRESS_OCTETS:
        raise AddressError("address is too long")
    localpart, at, domain = text.rpartition("@")
    if not at or not localpart or not domain:
        raise AddressError("an address looks like name@example.org")
    if quoted := _QUOTED_STRING.fullmatch(localpart):
        localpart = _QUOTED_PAIR.sub(r"\1", quoted[1])
    elif not _DOT_STRING.fullmatch(localpart):
        raise AddressError("the part before the @ holds a character that needs quotes")
    return make_address(localpart, domain)


def make_address(localpart: str, domain: str) -> Address:
    """From a localpart without its quotes and a domain. Raises AddressError."""
    localpart = _nfc(localpart[: 4 * LOCALPART_OCTETS + 1])
    if not localpart:
        raise AddressError("the part before the @ is empty")
    if any(unicodedata.category(c) in _FORBIDDEN for c in localpart):
        raise AddressError("the part before the @ holds a control character or is not UTF-8")
    address = Address(localpart, normalize_domain(domain))
    if len(localpart.encode()) > LOCALPART_OCTETS:
        raise AddressError(f"the part before the @ is over {LOCALPART_OCTETS} octets")
    if len(str(address).encode()) > ADDRESS_OCTETS:
        raise AddressError(f"address is over {ADDRESS_OCTETS} octets")
    return address


def normalize_domain(domain: str) -> str:
    """To lower-case A-labels without a trailing dot; an address literal stays one. Raises AddressError."""
    if len(domain) > DOMAIN_OCTETS + 1:
        raise AddressError(f"domain is over {DOMAIN_OCTETS} octets")
    if domain.startswith("["):
        return _address_literal(domain)
    name = domain.lower()
    if not name.isascii() or "xn--" in name:
        try:
            # Non-transitional, STD3 rules: what registries and browsers do (UTS 46 §4).
            name = idna.encode(domain, uts46=True, std3_rules=True).decode("ascii").lower()
        except UnicodeError as error:  # idna.IDNAError is one
            raise AddressError("domain is not a valid internationalized name") from error
    name = name.removesuffix(".")
    if len(name) > DOMAIN_OCTETS or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise AddressError("domain is not a valid host name")
    return name


def localpart_key(localpart: str) -> str:
    """Lower case and NFC; lowering can decompose, so the form is restored."""
    return _nfc(localpart.lower())


def plus_base(localpart: str) -> str:
    """The localpart before the first `+`; all of it where nothing would be left."""
    return localpart.partition("+")[0] or localpart


def quote_localpart(localpart: str) -> str:
    """As it stands on the wire: quoted only where it must be (RFC 5321 §4.1.2)."""
    if _DOT_STRING.fullmatch(localpart):
        return localpart
    return '"' + re.sub(r'(["\\])', r"\\\1", localpart) + '"'


def _nfc(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _address_literal(domain: str) -> str:
    # RFC 5321 §4.1.3: [192.0.2.1] or [IPv6:2001:db8::1]
    if domain.endswith("]"):
        inner = domain[1:-1]
        try:
            if inner[:5].lower() == "ipv6:":
                return f"[IPv6:{ipaddress.IPv6Address(inner[5:])}]"
            return f"[{ipaddress.IPv4Address(inner)}]"
        except ValueError:
            pass
    raise AddressError("address literal is not an IP address in brackets")


def loggable_login(login: str) -> str:
    """A login name for the log: people type their password there, so only what is an address is written."""
    try:
        return str(parse_address(login[:320]))
    except AddressError:
        return "(not an address)"
