"""Checks of an uploaded chain and key: what passes can be served, and clients can accept it (RFC 5280, RFC 9525)."""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization

from mailraven.certificates.errors import InvalidCertificate
from mailraven.certificates.keys import PrivateKey, key_type, load_key
from mailraven.certificates.leaf import check_purpose, dns_names
from mailraven.tls import PemPair, TlsError, make_context

CHAIN_MAX = 64 * 1024
_CERTIFICATES_MAX = 10
_NOT_YET = dt.timedelta(hours=1)  # a clock that is late, no more


@dataclass(frozen=True, slots=True)
class Checked:
    """An upload that passed."""

    chain: str
    """PEM, nothing but the certificates."""
    key: bytes = field(repr=False)
    """PKCS #8 in DER."""
    names: tuple[str, ...]
    """DNS names in lower case, wildcards as they are."""
    issuer: str
    serial: str
    fingerprint: str
    key_type: str
    not_before: dt.datetime
    not_after: dt.datetime


def check_upload(chain: str, private_key: str, now: dt.datetime) -> Checked:
    """Takes some milliseconds of CPU: for a thread. Raises InvalidCertificate."""
    certificates = _parse_chain(chain)
    key = load_key(private_key)
    leaf = certificates[0]
    if leaf.public_key() != key.public_key():
        raise InvalidCertificate("private_key: does not belong to the first certificate of the chain")
    _check_links(certificates)
    _check_dates(certificates, now)
    check_purpose(leaf)
    names = dns_names(leaf)
    pem = b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in certificates)
    _check_usable(pem, key)
    return Checked(
        chain=pem.decode("ascii"),
        key=key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        names=names,
        issuer=leaf.issuer.rfc4514_string(),
        serial=f"{leaf.serial_number:x}",
        fingerprint=leaf.fingerprint(hashes.SHA256()).hex(),
        key_type=key_type(key),
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
    )


def _parse_chain(text: str) -> list[x509.Certificate]:
    if len(text) > CHAIN_MAX:
        raise InvalidCertificate(f"chain: expected at most {CHAIN_MAX} octets")
    if "PRIVATE KEY-----" in text:
        raise InvalidCertificate("chain: holds a private key; expected certificates only, and the key in private_key")
    try:
        certificates = x509.load_pem_x509_certificates(text.encode())
        for certificate in certificates:
            certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidCertificate(
            "chain: expected certificates in PEM (-----BEGIN CERTIFICATE-----), the server's own first"
        ) from None
    if any(certificate.serial_number <= 0 for certificate in certificates):
        raise InvalidCertificate("chain: expected serial numbers above 0")  # RFC 5280 §4.1.2.2
    if len(certificates) > _CERTIFICATES_MAX:
        raise InvalidCertificate(f"chain: {len(certificates)} certificates; expected at most {_CERTIFICATES_MAX}")
    return certificates


def _check_links(certificates: list[x509.Certificate]) -> None:
    """Each is issued by the next one (RFC 8446 §4.4.2; RFC 5246 §7.4.2 demands the order)."""
    for number, (certificate, issuer) in enumerate(itertools.pairwise(certificates), start=1):
        try:
            certificate.verify_directly_issued_by(issuer)
            usable = _is_authority(issuer)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            raise InvalidCertificate(
                f"chain: certificate {number} ({_name(certificate)}) was not issued by certificate {number + 1} "
                f"({_name(issuer)}); expected the server's own first, then the one that issued it, and so on"
            ) from None
        if not usable:
            raise InvalidCertificate(f"chain: certificate {number + 1} ({_name(issuer)}) may not issue certificates")


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False  # RFC 5280 §4.2.1.9


def _check_dates(certificates: list[x509.Certificate], now: dt.datetime) -> None:
    for number, certificate in enumerate(certificates, start=1):
        name = f"chain: certificate {number} ({_name(certificate)})"
        if certificate.not_valid_after_utc <= now:
            raise InvalidCertificate(f"{name} expired on {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC")
        if certificate.not_valid_before_utc > now + _NOT_YET:
            raise InvalidCertificate(f"{name} is valid only from {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC")


def _check_usable(chain: bytes, key: PrivateKey) -> None:
    """The last word is OpenSSL's, which serves it: weak signatures and the like."""
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    try:
        make_context([PemPair("chain", chain, pem)])
    except TlsError as error:
        raise InvalidCertificate(str(error)) from None


def _name(certificate: x509.Certificate) -> str:
    try:
        return certificate.subject.rfc4514_string()[:100] or "without a name"
    except ValueError:
        return "whose name cannot be read"
