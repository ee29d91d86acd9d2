"""Numbered SQL migrations: applied once, in order, each in a transaction, under an advisory lock, with checksums.

Rule (expand/contract): a migration may add; what it makes obsolete is dropped one release later, so that version N
and N-1 run side by side on one schema. What drops or renames says `-- needs: NNNN` in a line of its own: the oldest
schema whose programs do without what goes. Programs that know as much run on the newer schema, so that an upgrade needs
no pause and can be taken back; older ones refuse. A migration that has been released is never edited: its checksum is
kept.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib import resources
from typing import Any

import asyncpg

from mailraven.db.reach import reaching

_LOCK = 0x6D61696C7276  # "mailrv"
_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migration (
    version integer PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now());
ALTER TABLE schema_migration ADD COLUMN IF NOT EXISTS needs integer
"""
_NEEDS = re.compile(r"^-- needs: (\d{4})$", re.MULTILINE)
# The column is not there before the first migration of a program that knows it.
_APPLIED = "SELECT version, sha256, (to_jsonb(s) ->> 'needs')::integer AS needs FROM schema_migration s"


class MigrationError(Exception):
    """The schema cannot be brought to this version; the text says why."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file of mailraven/db/migrations."""

    version: int
    name: str
    sql: str

    @property
    def needs(self) -> int:
        """The oldest schema whose programs run with this migration applied; 1: any."""
        match = _NEEDS.search(self.sql)
        return int(match[1]) if match else 1

    @property
    def sha256(self) -> str:
        """Hex digest of the text."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def load_migrations() -> list[Migration]:
    """All migrations of this version of the program, in order, without gaps."""
    found = []
    for entry in resources.files("mailraven.db").joinpath("migrations").iterdir():
        match = _NAME.fullmatch(entry.name)
        if match:
            found.append(Migration(int(match[1]), match[2], entry.read_text(encoding="utf-8")))
    found.sort(key=lambda migration: migration.version)
    if [migration.version for migration in found] != list(range(1, len(found) + 1)):
        raise MigrationError("the migrations of this build are not numbered 1, 2, 3 …")
    return found


async def pending_migrations(connection: Any) -> list[Migration]:
    """Those not applied yet. A newer schema is current too, as long as it has what this program needs.

    Raises:
        MigrationError: when the schema is too new for this program, or an applied migration was edited.
    """
    exists = await connection.fetchval("SELECT to_regclass('schema_migration') IS NOT NULL")
    rows = await connection.fetch(_APPLIED) if exists else []
    applied = {row["version"]: row["sha256"] for row in rows}
    known = load_migrations()
    newest = max(applied, default=0)
    # No word of what it needs: as if it needed itself.
    if any(len(known) < (row["needs"] or row["version"]) for row in rows if row["version"] > len(known)):
        raise MigrationError(
            f"the database has schema version {newest}, this program knows {len(known)}: downgrade is not supported, "
            "run the newer version"
        )
    for migration in known:
        if migration.version in applied and applied[migration.version] != migration.sha256:
            raise MigrationError(f"migration {migration.version:04} {migration.name} was edited after it was applied")
    return [migration for migration in known if migration.version not in applied]


async def migrate(dsn: str) -> list[Migration]:
    """Bring the schema to this version; safe to run from many processes at once. Returns what was applied.

    Raises:
        DatabaseUnavailable, MigrationError.
    """
    with reaching(dsn):
        connection = await asyncpg.connect(dsn, timeout=10, server_settings={"application_name": "mailraven-migrate"})
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await connection.execute(_TABLE)
        applied = []
        for migration in await pending_migrations(connection):
            async with connection.transaction():
                await connection.execute(migration.sql)
                await connection.execute(
                    "INSERT INTO schema_migration (version, name, sha256, needs) VALUES ($1, $2, $3, $4)",
                    migration.version,
                    migration.name,
                    migration.sha256,
                    migration.needs,
                )
            applied.append(migration)
    except asyncpg.InsufficientPrivilegeError as error:
        raise MigrationError(f"the database's user may not make tables: {error}") from error
    finally:
        await connection.close()
    return applied
