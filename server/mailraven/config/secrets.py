"""Settings of the master key, under which private keys and TOTP secrets are kept in Postgres."""

import base64
import binascii
from pathlib import Path

from pydantic import SecretStr, field_validator

from mailraven.config.section import Section
from mailraven.config.units import CommaList

KEY_LENGTH = 32


class SecretsConfig(Section):
    """The master key. Without one, certificates, DKIM keys and TOTP cannot be stored; all else works."""

    key: SecretStr | None = None
    """The base64 of 32 random bytes, as `openssl rand -base64 32` prints it. The same for all processes of an
    installation; `mailraven up` makes one."""
    key_file: Path | None = None
    """A file that holds the master key, instead of secrets.key."""
    previous_key_files: CommaList[Path] = ()
    """Files of earlier master keys: they still open what they sealed, until it is sealed anew."""

    @field_validator("key")
    @classmethod
    def _is_a_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None:
            decode_master_key(key.get_secret_value())
        return key


def decode_master_key(text: str) -> bytes:
    """32 bytes; the text is base64, URL-safe or not. Raises ValueError, which does not quote it."""
    try:
        key = base64.b64decode(text.strip().replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_LENGTH:
        raise ValueError(f"expected the base64 of {KEY_LENGTH} bytes (`openssl rand -base64 {KEY_LENGTH}` makes one)")
    return key
