"""Settings of backups."""

from pathlib import Path

from pydantic import Field

from mailraven.config.blobs import S3Config
from mailraven.config.section import Section


class BackupS3Config(S3Config):
    """The service of a target that is s3://BUCKET/PREFIX, which has bucket and prefix. What is not set here is that of
    blobs.s3, whatever stands below as its default."""


class BackupConfig(Section):
    """Where backups go and how long they stay (`mailraven backup`)."""

    target: str = Field(default="", max_length=1000)
    """A directory, or s3://BUCKET/PREFIX; the command line may name another one."""
    key_file: Path | None = None
    """A file with the key that backups are encrypted with (`mailraven backup key FILE` makes one). Not set: they are
    not encrypted."""
    keep_days: int = Field(default=30, ge=0, le=36_500)
    """All backups younger than this are kept,"""
    keep_daily: int = Field(default=0, ge=0, le=10_000)
    """then the last one of so many days that have one,"""
    keep_weekly: int = Field(default=0, ge=0, le=10_000)
    """of so many weeks,"""
    keep_monthly: int = Field(default=0, ge=0, le=10_000)
    """and of so many months."""
    s3: BackupS3Config = BackupS3Config()
