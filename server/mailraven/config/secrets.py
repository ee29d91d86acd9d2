"""Settings of the master key, under which private keys and TOTP secrets are kept in Postgres."""

from pathlib import Path

from pydantic import SecretStr

from mailraven.config.section import Section
from mailraven.config.units import CommaList


class SecretsConfig(Section):
    """The master key. Without one, certificates, DKIM keys and TOTP cannot be stored; all else works."""

    key: SecretStr | None = None
    """The base64 of 32 random bytes, as `openssl rand -base64 32` prints it. The same for all processes of an
    installation; `mailraven up` makes one."""
    key_file: Path | None = None
    """A file that holds the master key, instead of secrets.key."""
    previous_key_files: CommaList[Path] = ()
    """Files of earlier master keys: they still open what they sealed, until it is sealed anew."""
