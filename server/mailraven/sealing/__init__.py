"""Sealing of secrets that are kept in Postgres: private keys and TOTP secrets, under a master key from the settings."""

from mailraven.sealing.errors import NoMasterKey, SealBroken, SealingError, WrongMasterKey
from mailraven.sealing.purposes import certificate_purpose, dkim_purpose, totp_purpose
from mailraven.sealing.sealer import Sealer, new_master_key

__all__ = [
    "NoMasterKey",
    "SealBroken",
    "Sealer",
    "SealingError",
    "WrongMasterKey",
    "certificate_purpose",
    "dkim_purpose",
    "new_master_key",
    "totp_purpose",
]
