"""A certificate of the store as processes keep it: compact, its key sealed until a handshake needs it."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field

from mailraven.sealing import Sealer, certificate_purpose

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


@dataclass(frozen=True, slots=True)
class StoredPair:
    """10,000 of these take 30 MB; issuers, which many certificates share, are there once."""

    name: str
    version: int
    fingerprint: str
    key_type: str
    names: tuple[str, ...]
    not_before: dt.datetime
    not_after: dt.datetime
    chain: tuple[bytes, ...]
    """DER."""
    key_sealed: bytes = field(repr=False)
    sealer: Sealer = field(repr=False)

    @property
    def id(self) -> str:
        """Changes with every change."""
        return f"{self.name} {self.version} {self.fingerprint}"

    @property
    def label(self) -> str:
        """For messages."""
        return f"certificate {self.name}"

    def open(self) -> bytes:
        """The private key in DER. Raises SealingError."""
        return self.sealer.open(certificate_purpose(self.name), self.key_sealed)

    def pem(self) -> bytes:
        """Raises SealingError."""
        key = _armour(b"PRIVATE KEY", self.open())
        return b"".join([*(_armour(b"CERTIFICATE", der) for der in self.chain), key])


def der_chain(chain: str) -> Iterable[bytes]:
    """The certificates of a PEM that was checked when it was stored."""
    for part in chain.split(_BEGIN)[1:]:
        yield base64.b64decode(part.partition(_END)[0])


def _armour(label: bytes, der: bytes) -> bytes:
    return b"-----BEGIN %b-----\n%b-----END %b-----\n" % (label, base64.encodebytes(der), label)
