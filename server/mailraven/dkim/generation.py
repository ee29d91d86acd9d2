"""New key pairs (RFC 8301 §3.2: RSA of 2048 bits at least; RFC 8463), made in a thread: RSA 4096 takes a second."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass, field
from typing import Literal

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

Algorithm = Literal["rsa", "ed25519"]
RSA_SIZES = (2048, 3072, 4096)
ED25519_SIZE = 256


@dataclass(frozen=True, slots=True)
class FreshKey:
    """A key pair that is not stored yet."""

    algorithm: Algorithm
    key_size: int
    public_key: str
    private: bytes = field(repr=False)
    """PKCS #8 in DER."""


async def generate_key(algorithm: Algorithm, key_size: int) -> FreshKey:
    """`key_size` counts for RSA only. Raises ValueError for a size that is not offered."""
    if algorithm == "rsa" and key_size not in RSA_SIZES:
        raise ValueError(f"expected an RSA key size of {', '.join(map(str, RSA_SIZES))}")
    return await asyncio.to_thread(_generate, algorithm, key_size)


def _generate(algorithm: Algorithm, key_size: int) -> FreshKey:
    if algorithm == "ed25519":
        signer = ed25519.Ed25519PrivateKey.generate()
        public = signer.public_key().public_bytes_raw()  # RFC 8463 §4: the bare 32 octets
        return FreshKey("ed25519", ED25519_SIZE, _text(public), _private(signer))
    key = rsa.generate_private_key(public_exponent=65537, key_size=key_size)
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return FreshKey("rsa", key_size, _text(public), _private(key))


def _private(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _text(public: bytes) -> str:
    return base64.b64encode(public).decode("ascii")
