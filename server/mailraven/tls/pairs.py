"""A certificate chain with its private key, in memory or read from files."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from mailraven.tls.errors import TlsError


class Pair(Protocol):
    """What a context is made of; the key is opened only for that."""

    @property
    def id(self) -> str:
        """The same for the same chain and key."""

    @property
    def label(self) -> str:
        """How messages call it."""

    def pem(self) -> bytes:
        """The chain, leaf first, and the private key."""


@dataclass(frozen=True, slots=True)
class PemPair:
    """With the octets at hand."""

    label: str
    chain: bytes
    key: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """A digest of both."""
        return hashlib.sha256(self.chain + b"\0" + self.key).hexdigest()

    def pem(self) -> bytes:
        """One after the other."""
        return self.chain + b"\n" + self.key


def read_pair(cert_file: Path, key_file: Path) -> PemPair:
    """Raises TlsError when a file cannot be read or holds no PEM; whether they fit shows when a context is made."""
    chain, key = _read(cert_file), _read(key_file)
    if b"-----BEGIN CERTIFICATE-----" not in chain:
        raise TlsError(f"{cert_file}: expected a certificate in PEM (-----BEGIN CERTIFICATE-----)")
    if b"PRIVATE KEY-----" not in key:
        raise TlsError(f"{key_file}: expected a private key in PEM (-----BEGIN PRIVATE KEY-----)")
    return PemPair(f"{cert_file}, {key_file}", chain, key)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TlsError(f"{path}: cannot be read: {error.strerror}") from None
