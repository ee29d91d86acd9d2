"""Private keys that mail clients can talk to: RSA from 2048 bits, ECDSA on P-256 and P-384 (RFC 9325 §4.5)."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from mailraven.certificates.errors import InvalidCertificate

KEY_MAX = 16 * 1024
_RSA_MIN, _RSA_MAX = 2048, 4096  # a larger key makes each handshake cost tens of milliseconds
_CURVES = {"secp256r1": "ecdsa-p256", "secp384r1": "ecdsa-p384"}
_BEGIN = "-----BEGIN "

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def load_key(text: str) -> PrivateKey:
    """Raises InvalidCertificate; its text never quotes the key."""
    if len(text) > KEY_MAX:
        raise InvalidCertificate(f"private_key: expected at most {KEY_MAX} octets")
    if "ENCRYPTED" in text:
        raise InvalidCertificate("private_key: has a pass phrase; expected a key without one")
    if text.count("PRIVATE KEY-----") != 2 or _BEGIN not in text:
        raise InvalidCertificate("private_key: expected one private key in PEM (-----BEGIN PRIVATE KEY-----)")
    # A PEM of EC keys by older tools has the curve's parameters before the key.
    start = text.rindex(_BEGIN)
    try:
        key = load_pem_private_key(text[start:].encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InvalidCertificate("private_key: cannot be read: not a private key in PEM") from None
    _check(key)
    assert isinstance(key, PrivateKey)  # noqa: S101 - _check lets no other through
    return key


def _check(key: object) -> None:
    if isinstance(key, rsa.RSAPrivateKey):
        if not _RSA_MIN <= key.key_size <= _RSA_MAX:
            raise InvalidCertificate(f"private_key: RSA of {key.key_size} bits; expected {_RSA_MIN} to {_RSA_MAX} bits")
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        if key.curve.name not in _CURVES:
            raise InvalidCertificate(f"private_key: curve {key.curve.name}; expected P-256 or P-384")
    elif isinstance(key, (ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey)):
        raise InvalidCertificate(
            "private_key: most mail clients cannot use EdDSA certificates; expected RSA or ECDSA (P-256, P-384)"
        )
    else:
        raise InvalidCertificate("private_key: expected RSA or ECDSA (P-256, P-384)")


def key_type(key: PrivateKey) -> str:
    """ "rsa-2048", "ecdsa-p256"."""
    return f"rsa-{key.key_size}" if isinstance(key, rsa.RSAPrivateKey) else _CURVES[key.curve.name]
