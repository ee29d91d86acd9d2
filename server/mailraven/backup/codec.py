"""Chunks in their stored form: compressed by zstd, encrypted by AES-256-GCM where the repository has a key.

A chunk's id says what it is: of content the digest of its octets, of a bundle the digest of the bodies' digests.
"""

from __future__ import annotations

import hashlib
import hmac
import os

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mailraven.backup.errors import DamagedBackup

MAX_PLAIN = 64 << 20
"""Octets of a chunk at most: what says more is damage or malice, and is never expanded."""
_RAW, _ZSTD = b"\x00", b"\x01"
_LEVEL = 3
_NONCE = 12


class Codec:
    """Stateless but for the keys; safe in threads."""

    def __init__(self, repository_id: bytes, key: bytes | None = None) -> None:
        """`key` is 32 octets; the keys in use are derived from it for this repository alone."""
        self._cipher: AESGCM | None = None
        self._name_key: bytes | None = None
        if key is not None:
            derived = HKDF(SHA256(), length=64, salt=repository_id, info=b"mailraven backup 1").derive(key)
            self._cipher, self._name_key = AESGCM(derived[:32]), derived[32:]

    @property
    def encrypts(self) -> bool:
        """Whether there is a key."""
        return self._cipher is not None

    def key_check(self) -> str:
        """Tells a wrong key from damage; says nothing about the key."""
        return hmac.digest(self._name_key or b"", b"key check", "sha256").hex()

    def id_of(self, digest: bytes) -> bytes:
        """The chunk id for a SHA-256: with a key nobody without it can tell which known message is in there."""
        return digest if self._name_key is None else hmac.digest(self._name_key, digest, "sha256")

    def content_id(self, plain: bytes) -> bytes:
        """Of octets."""
        return self.id_of(hashlib.sha256(plain).digest())

    def box(self, chunk_id: bytes, plain: bytes) -> bytes:
        """The stored form; bound to its id."""
        packed = zstandard.ZstdCompressor(level=_LEVEL).compress(plain)
        framed = _ZSTD + packed if len(packed) < len(plain) else _RAW + plain
        if self._cipher is None:
            return framed
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, framed, chunk_id)

    def unbox(self, chunk_id: bytes, stored: bytes) -> bytes:
        """Raises DamagedBackup."""
        framed = stored
        if self._cipher is not None:
            try:
                framed = self._cipher.decrypt(stored[:_NONCE], stored[_NONCE:], chunk_id)
            except (InvalidTag, ValueError):
                raise DamagedBackup(f"chunk {chunk_id.hex()[:16]} is damaged") from None
        kind, rest = framed[:1], framed[1:]
        if kind == _RAW and len(rest) <= MAX_PLAIN:
            return rest
        if kind != _ZSTD:
            raise DamagedBackup(f"chunk {chunk_id.hex()[:16]} has an unknown form")
        return _expand(chunk_id, rest)


def _expand(chunk_id: bytes, packed: bytes) -> bytes:
    # The size in the frame's header is checked before a single octet is expanded.
    try:
        size = zstandard.frame_content_size(packed)
        if not 0 <= size <= MAX_PLAIN:
            raise DamagedBackup(f"chunk {chunk_id.hex()[:16]} claims {size} octets")
        plain: bytes = zstandard.ZstdDecompressor().decompress(packed, max_output_size=MAX_PLAIN)
    except zstandard.ZstdError:
        raise DamagedBackup(f"chunk {chunk_id.hex()[:16]} cannot be expanded") from None
    if len(plain) != size:
        raise DamagedBackup(f"chunk {chunk_id.hex()[:16]} is cut off")
    return plain
