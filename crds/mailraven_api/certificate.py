"""Certificates of the server, served by SNI."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, SecretStr

from mailraven_api.model import Model

CertificateName = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$")]
"""What the store calls it; not what it is for. The name of a Kubernetes Secret fits."""


class CertificateUpload(Model):
    """PUT /api/v1/certificates/{name}."""

    chain: Annotated[str, Field(min_length=1, max_length=65536)]
    """PEM: the server's certificate first, then the one that issued it, and so on; without the root."""
    private_key: Annotated[SecretStr, Field(min_length=1, max_length=16384)]
    """PEM, without a pass phrase: RSA of 2048 to 4096 bits, or ECDSA on P-256 or P-384. It is never shown again."""


class Certificate(Model):
    """A certificate of the store, without its key."""

    name: str
    names: tuple[str, ...]
    """DNS names it is valid for, and served for."""
    issuer: str
    serial: str
    """Hexadecimal."""
    fingerprint: str
    """SHA-256 of the certificate, hexadecimal."""
    key_type: str
    """Such as rsa-2048 or ecdsa-p256."""
    not_before: datetime
    not_after: datetime
    days_left: int
    """Whole days until it ends; negative when it is over."""
    version: int
    """Rises with each change; the ETag."""
    created_at: datetime
    updated_at: datetime


class CertificateWithChain(Certificate):
    """One certificate."""

    chain: str
    """PEM, the server's certificate first."""
    warnings: tuple[str, ...] = ()
    """What to look at after an upload, such as names that the certificate before had."""
