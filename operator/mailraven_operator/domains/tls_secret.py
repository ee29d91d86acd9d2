"""A certificate and its key as a Secret of type kubernetes.io/tls has them. Pure; keys are never printed."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization

CHAIN_KEY = "tls.crt"
PRIVATE_KEY = "tls.key"
CA_KEY = "ca.crt"
_CHAIN_MAX = 64 * 1024
_KEY_MAX = 16 * 1024


class UnusableSecret(Exception):
    """Its text says what is wrong, without anything that stands in the Secret."""


@dataclass(frozen=True)
class Pair:
    """What the server gets."""

    chain: str
    """PEM, the server's certificate first, without the root; nothing but the certificates."""
    private_key: str = field(repr=False)
    """PEM."""
    fingerprint: str
    """SHA-256 of the first certificate, hexadecimal."""
    names: tuple[str, ...]
    """DNS names in lower case."""
    not_before: datetime
    not_after: datetime

    def upload(self) -> dict[str, str]:
        """The body for PUT /certificates/NAME."""
        return {"chain": self.chain, "private_key": self.private_key}


def read_pair(secret: Mapping[str, Any]) -> Pair:
    """Raises UnusableSecret."""
    certificates = _certificates(_text(secret, CHAIN_KEY, _CHAIN_MAX))
    private_key = _text(secret, PRIVATE_KEY, _KEY_MAX)
    leaf = certificates[0]
    return Pair(
        chain=chain_text(certificates),
        private_key=private_key,
        fingerprint=leaf.fingerprint(hashes.SHA256()).hex(),
        names=_names(leaf),
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
    )


def belongs_together(pair: Pair) -> bool:
    """Whether the key is that of the certificate. For Secrets that the operator makes; the server checks the rest."""
    try:
        key = serialization.load_pem_private_key(pair.private_key.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return key.public_key() == x509.load_pem_x509_certificate(pair.chain.encode()).public_key()


def chain_text(certificates: list[x509.Certificate]) -> str:
    """PEM as the server stores it: without a root at the end, which no client needs from us."""
    sent = [one for one in certificates[1:] if one.subject != one.issuer]
    return "".join(one.public_bytes(serialization.Encoding.PEM).decode("ascii") for one in (certificates[0], *sent))


def _certificates(text: str) -> list[x509.Certificate]:
    try:
        certificates = x509.load_pem_x509_certificates(text.encode())
    except ValueError:
        raise UnusableSecret(f"{CHAIN_KEY}: expected certificates in PEM, the server's own first") from None
    return certificates


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    """Of subjectAltName: clients look at nothing else (RFC 9525 §2)."""
    try:
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        raise UnusableSecret(f"{CHAIN_KEY}: the certificate has no DNS names (subjectAltName)") from None
    except ValueError:
        raise UnusableSecret(f"{CHAIN_KEY}: the extensions of the certificate cannot be read") from None
    names = [name.lower().rstrip(".") for name in found.get_values_for_type(x509.DNSName)]
    if not names:
        raise UnusableSecret(f"{CHAIN_KEY}: the certificate has no DNS names (subjectAltName)")
    return tuple(dict.fromkeys(names))


def _text(secret: Mapping[str, Any], key: str, largest: int) -> str:
    value = (secret.get("data") or {}).get(key)
    if not value:
        raise UnusableSecret(f"there is no {key} in it")
    try:
        text = base64.b64decode(value, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise UnusableSecret(f"{key}: expected PEM") from None
    if len(text) > largest:
        raise UnusableSecret(f"{key}: expected at most {largest} octets")
    return text
