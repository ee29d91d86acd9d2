"""AES-256-GCM under one of several master keys (NIST SP 800-38D): version, key id, nonce, ciphertext with its tag."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mailraven.config.errors import ConfigError
from mailraven.config.secrets import KEY_LENGTH, SecretsConfig, decode_master_key
from mailraven.sealing.errors import NoMasterKey, SealBroken, WrongMasterKey

_VERSION = b"\x01"
_ID_LENGTH = 4
_NONCE_LENGTH = 12  # random: good for 2^32 values under one key (SP 800-38D §8.3)
_TAG_LENGTH = 16
_HEAD = len(_VERSION) + _ID_LENGTH + _NONCE_LENGTH


def new_master_key() -> str:
    """32 random bytes in base64, as the settings have them."""
    return base64.b64encode(os.urandom(KEY_LENGTH)).decode("ascii")


class Sealer:
    """The first key seals, all of them open: a new key is put before the old ones, then everything is sealed anew."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        if any(len(key) != KEY_LENGTH for key in keys):
            raise ValueError(f"expected master keys of {KEY_LENGTH} bytes")
        self._ciphers = {_key_id(key): AESGCM(key) for key in keys}
        self._first = _key_id(keys[0]) if keys else None

    def __repr__(self) -> str:
        return f"Sealer({', '.join(key_id.hex() for key_id in self._ciphers)})"

    @classmethod
    def of(cls, settings: SecretsConfig) -> Sealer:
        """With the keys of the settings, which may be none. Raises ConfigError."""
        keys = [] if settings.key is None else [_decode(settings.key.get_secret_value(), "secrets.key")]
        if not keys and settings.previous_key_files:
            raise ConfigError(["secrets.previous_key_files: expected secrets.key or secrets.key_file beside it"])
        for path in settings.previous_key_files:
            try:
                text = path.read_text(encoding="ascii")
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "not base64"
                raise ConfigError([f"secrets.previous_key_files: cannot read {path}: {reason}"]) from None
            keys.append(_decode(text, f"secrets.previous_key_files: {path}"))
        return cls(keys)

    @property
    def ready(self) -> bool:
        """Whether there is a master key."""
        return self._first is not None

    @property
    def key_ids(self) -> tuple[str, ...]:
        """Of all keys, hex, as they stand in what is sealed; they say nothing about the keys."""
        return tuple(key_id.hex() for key_id in self._ciphers)

    def seal(self, purpose: str, plaintext: bytes) -> bytes:
        """Raises NoMasterKey."""
        if self._first is None:
            raise NoMasterKey
        nonce = os.urandom(_NONCE_LENGTH)
        head = _VERSION + self._first
        return head + nonce + self._ciphers[self._first].encrypt(nonce, plaintext, head + purpose.encode())

    def open(self, purpose: str, sealed: bytes) -> bytes:
        """The plaintext of what was sealed for the same purpose. Raises NoMasterKey, WrongMasterKey, SealBroken."""
        if self._first is None:
            raise NoMasterKey
        if len(sealed) < _HEAD + _TAG_LENGTH or not sealed.startswith(_VERSION):
            raise SealBroken(purpose)
        head = bytes(sealed[: _HEAD - _NONCE_LENGTH])
        cipher = self._ciphers.get(head[len(_VERSION) :])
        if cipher is None:
            raise WrongMasterKey(purpose, head[len(_VERSION) :].hex())
        try:
            return cipher.decrypt(bytes(sealed[len(head) : _HEAD]), bytes(sealed[_HEAD:]), head + purpose.encode())
        except InvalidTag:
            raise SealBroken(purpose) from None

    def is_current(self, sealed: bytes) -> bool:
        """Whether the first key sealed it: the others can go when this holds for everything."""
        return self._first is not None and sealed.startswith(_VERSION + self._first)


def _key_id(key: bytes) -> bytes:
    """Tells keys apart; says nothing about 32 random bytes."""
    return hashlib.sha256(b"mailraven master key\0" + key).digest()[:_ID_LENGTH]


def _decode(text: str, name: str) -> bytes:
    try:
        return decode_master_key(text)
    except ValueError as error:
        raise ConfigError([f"{name}: {error}"]) from None
