"""Where backups are, how they are encrypted, and how long they stay: for BackupSchedule, Backup and Restore."""

from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from mailraven_api.kubernetes.form import Form
from mailraven_api.kubernetes.meta import KeySecretRef, KubeModel, ObjectName, SecretKey
from mailraven_api.kubernetes.rule import rules


class S3Credentials(KubeModel):
    """A Secret with the keys of a bucket."""

    name: ObjectName
    """Of the Secret."""
    access_key_key: SecretKey = "access-key"
    """Which key of its data is the access key."""
    secret_key_key: SecretKey = "secret-key"  # noqa: S105 - a name
    """Which key of its data is the secret key."""


class S3Target(KubeModel):
    """A bucket. What is left out is as for the server's own blob store."""

    bucket: Annotated[
        str,
        Field(min_length=3, max_length=63),
        Form(r"[a-z0-9][a-z0-9.-]*[a-z0-9]", "a bucket's name: lower-case letters, digits, hyphens and dots"),
    ]
    """Its name."""
    prefix: Annotated[
        str, Field(max_length=512), Form(r"([^/\s]+(/[^/\s]+)*/?)?", "names with single slashes between them")
    ] = ""
    """Where in the bucket."""
    endpoint: (
        Annotated[str, Field(min_length=1, max_length=512), Form(r"[A-Za-z0-9._:\[\]-]+", "HOST or HOST:PORT")] | None
    ) = None
    """HOST or HOST:PORT."""
    region: Annotated[str, Field(max_length=63), Form(r"[A-Za-z0-9-]+", "a region such as eu-central-1")] | None = None
    """Of the bucket."""
    secure: bool = True
    """HTTPS."""
    credentials_secret_ref: S3Credentials | None = None
    """Who may write into the bucket."""


class ClaimTarget(KubeModel):
    """A directory of a volume."""

    claim_name: ObjectName
    """A PersistentVolumeClaim of the same namespace."""
    sub_path: Annotated[str, Field(max_length=512)] = ""
    """Where in the volume."""

    @model_validator(mode="after")
    def _inside(self) -> Self:
        if self.sub_path.startswith("/") or ".." in self.sub_path.split("/"):
            raise ValueError("subPath has to stay inside of the volume")
        return self

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "!has(self.subPath) || !(self.subPath.startsWith('/') || self.subPath.split('/').exists(p, p == '..'))",
                "subPath has to stay inside of the volume",
                ".subPath",
            )
        )
    )


class Target(KubeModel):
    """Where backups are: exactly one of the two."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            ("has(self.s3) != has(self.persistentVolumeClaim)", "expected either s3 or persistentVolumeClaim")
        )
    )

    s3: S3Target | None = None
    """A bucket."""
    persistent_volume_claim: ClaimTarget | None = None
    """A directory of a volume."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.s3 is None) == (self.persistent_volume_claim is None):
            raise ValueError("expected either s3 or persistentVolumeClaim")
        return self


class Encryption(KubeModel):
    """With a key that `mailraven backup key` made. Without that key there is no way back."""

    secret_ref: KeySecretRef
    """The Secret with the key."""


class Retention(KubeModel):
    """Which backups stay; the newest always does. Days, weeks and months add up."""

    keep_days: Annotated[int, Field(ge=0, le=36500)] = 30
    """All that are younger than so many days."""
    keep_daily: Annotated[int, Field(ge=0, le=10000)] = 0
    """Then the last one of so many more days that have one,"""
    keep_weekly: Annotated[int, Field(ge=0, le=10000)] = 0
    """of so many weeks (ISO 8601),"""
    keep_monthly: Annotated[int, Field(ge=0, le=10000)] = 0
    """and of so many months."""
