"""The manifest of one backup: what it holds, where it came from, and the chunks it is made of."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mailraven.backup.errors import DamagedBackup, ForeignVersion

FORMAT = 1


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Chunk(_Part):
    """A piece of a table's rows, in the order of its key."""

    id: str = Field(pattern=r"^[0-9a-f]{64}$")
    rows: int = Field(ge=0)
    first: str = Field(max_length=400)
    """The first column of its first and last row: where to look for an account."""
    last: str = Field(max_length=400)


class Table(_Part):
    """Rows in COPY's text format (PostgreSQL documentation, COPY, Text Format), one a line."""

    name: str = Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")
    columns: tuple[str, ...]
    rows: int = Field(ge=0)
    octets: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    chunks: tuple[Chunk, ...]


class Snapshot(_Part):
    """A backup."""

    format: int = FORMAT
    id: str = Field(pattern=r"^[0-9a-f]{32}$")
    taken_at: datetime
    """The moment whose state it is."""
    finished_at: datetime
    program: str
    """Version of the program that made it."""
    schema_version: int
    """Number of the last migration."""
    postgres: str
    hostname: str
    tables: tuple[Table, ...]
    sequences: dict[str, int]
    """The next value of each."""
    bodies: int
    """Message bodies, stored once however many mailboxes hold them."""
    body_octets: int
    blobs: int
    """How many of them stood in the blob store."""
    sealing_keys: tuple[str, ...] = ()
    """Ids of the master keys that its secrets are sealed with."""
    added_octets: int = 0
    """What this backup added to the repository."""

    def table(self, name: str) -> Table | None:
        """None: it had no such table."""
        return next((table for table in self.tables if table.name == name), None)

    def to_json(self) -> bytes:
        """Canonical."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, octets: bytes) -> Snapshot:
        """Raises ForeignVersion, DamagedBackup."""
        try:
            document: Any = json.loads(octets)
        except (ValueError, RecursionError):
            raise DamagedBackup("a manifest cannot be read") from None
        version = document.get("format") if isinstance(document, dict) else None
        if version != FORMAT:
            raise ForeignVersion(f"the backup has format {version!r}; this program reads format {FORMAT}")
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            place = ".".join(str(part) for part in error.errors()[0]["loc"])
            raise DamagedBackup(f"a manifest is wrong at {place}") from None
