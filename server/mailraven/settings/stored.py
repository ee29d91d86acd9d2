"""The rows of the settings that change without a restart: one a group, sparse, validated by mailraven_api.settings."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from mailraven.db import Connection
from mailraven_api.model import Model
from mailraven_api.settings import GROUPS, Group

CHANNEL = "mailraven_settings"


@dataclass(frozen=True, slots=True)
class SettingGroup:
    """A group as it is stored. Version 0: no row, everything has its default."""

    value: Model
    version: int = 0
    changed_by: str = ""
    changed_at: datetime | None = None


async def read(connection: Connection, group: Group) -> SettingGroup:
    """What was set; the fields that were not have their defaults."""
    row = await connection.fetchrow("SELECT value, version, changed_by, changed_at FROM setting WHERE name = $1", group)
    if row is None:
        return SettingGroup(GROUPS[group]())
    value = GROUPS[group].model_validate_json(row["value"])
    return SettingGroup(value, row["version"], row["changed_by"], row["changed_at"])


async def write(
    connection: Connection, group: Group, value: Model, *, changed_by: str, expected: int | None
) -> SettingGroup:
    """Replaces the group; only the fields that were set in `value` are stored. All processes hear of it at commit.

    Raises VersionMismatch when `expected` is given and is not the stored version.
    """
    from mailraven.directory.errors import VersionMismatch  # here: the directory's passwords obey these settings

    # Also where there is no row yet: of two writers that expect version 0 one has to lose.
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('setting ' || $1, 0))", group)
    stored = await connection.fetchval("SELECT version FROM setting WHERE name = $1", group) or 0
    if expected is not None and expected != stored:
        raise VersionMismatch(f"the settings {group} have version {stored}, not {expected}")
    document = json.dumps(value.model_dump(mode="json", exclude_unset=True))
    row = await connection.fetchrow(
        "INSERT INTO setting AS s (name, value, changed_by) VALUES ($1, $2, $3)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value, changed_by = excluded.changed_by,"
        " changed_at = now(), version = s.version + 1"
        " RETURNING version, changed_by, changed_at",
        group,
        document,
        changed_by,
    )
    await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, group)
    return SettingGroup(value, row["version"], row["changed_by"], row["changed_at"])
