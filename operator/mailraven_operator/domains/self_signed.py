"""A certificate that nobody else vouches for (`tls.selfSigned`), for tries and for clusters without cert-manager.

It stays the same for all pods and across restarts, unlike the one that the server makes for itself, and its Secret has
the authority to trust in ca.crt. The key of that authority is forgotten at once: it can sign nothing else.
"""

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mailraven_operator.domains.tls_secret import (
    CA_KEY,
    CHAIN_KEY,
    PRIVATE_KEY,
    UnusableSecret,
    belongs_together,
    read_pair,
)

_LIFETIME = timedelta(days=397)  # what clients accept
_RENEW_BEFORE = timedelta(days=30)
_CLOCK_SKEW = timedelta(hours=1)
_COMMON_NAME_MAX = 64  # RFC 5280 appendix A.1, ub-common-name


def is_current(secret: Mapping[str, Any], names: Sequence[str], now: datetime) -> bool:
    """Whether the Secret has a usable certificate for exactly these names that does not end soon."""
    try:
        pair = read_pair(secret)
    except UnusableSecret:
        return False
    valid = pair.not_before <= now < pair.not_after - _RENEW_BEFORE
    return valid and set(pair.names) == set(names) and belongs_together(pair)


def make_data(names: Sequence[str], now: datetime) -> dict[str, str]:
    """`data` of a Secret of type kubernetes.io/tls, with ca.crt."""
    ca_key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "MailRaven self-signed")])
    ca = (
        _builder(subject, subject, ca_key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    key = ec.generate_private_key(ec.SECP256R1())
    leaf_subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:_COMMON_NAME_MAX])])
    leaf = (
        _builder(leaf_subject, subject, key.public_key(), now)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    data = {CHAIN_KEY: _pem(leaf), PRIVATE_KEY: private, CA_KEY: _pem(ca)}
    return {name: base64.b64encode(value).decode("ascii") for name, value in data.items()}


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + _LIFETIME)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
