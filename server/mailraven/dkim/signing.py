"""The private keys with which a domain's mail is signed (RFC 6376 §3.3, RFC 8463 §3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key

from mailraven.dkim.generation import Algorithm
from mailraven.sealing import Sealer, dkim_purpose

_ACTIVE = """
SELECT selector, algorithm, private_sealed FROM dkim_key WHERE domain_id = $1 AND state = 'active' ORDER BY algorithm
"""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An active key, opened."""

    selector: str
    algorithm: Algorithm
    private: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey = field(repr=False)


async def signing_keys(connection: Any, sealer: Sealer, domain_id: int) -> list[SigningKey]:
    """The active keys, at most one for each algorithm; none: the mail goes out unsigned.

    Raises SealingError, when the master key is missing or another one: temporary for the mail that waits.
    """
    found = []
    for row in await connection.fetch(_ACTIVE, domain_id):
        der = sealer.open(dkim_purpose(domain_id, row["selector"]), row["private_sealed"])
        key = load_der_private_key(der, password=None)
        assert isinstance(key, (rsa.RSAPrivateKey, ed25519.Ed25519PrivateKey))  # noqa: S101 - generation makes no other
        found.append(SigningKey(row["selector"], row["algorithm"], key))
    return found
