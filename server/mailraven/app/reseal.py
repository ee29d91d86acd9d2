"""Seals everything anew with the first master key: after that, the keys before it can go from the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mailraven.app.data_directory import DataDirectory
from mailraven.app.master_key import with_master_key
from mailraven.config import load
from mailraven.db import Database
from mailraven.sealing import NoMasterKey, Sealer, SealingError, certificate_purpose, dkim_purpose, totp_purpose

_BATCH = 200


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of sealed values, the columns that name a row, and what the row is sealed for."""

    table: str
    column: str
    key: tuple[str, ...]
    purpose: Callable[..., str]

    def purpose_of(self, row: Any) -> str:
        return self.purpose(*(row[name] for name in self.key))


_COLUMNS = (
    _Column("certificate", "key_sealed", ("name",), certificate_purpose),
    _Column("dkim_key", "private_sealed", ("domain_id", "selector"), dkim_purpose),
    _Column("account", "totp_sealed", ("id",), totp_purpose),
)


@dataclass(slots=True)
class Resealed:
    """What was done; `problems` has a line for each value that no key opens: it stays as it is."""

    sealed: int = 0
    current: int = 0
    problems: list[str] = field(default_factory=list)


def sealer_of(data_path: Path, files: Sequence[Path], environ: Mapping[str, str], assignments: Sequence[str]) -> Sealer:
    """With the keys that the server has: of the settings and of the data directory. Raises ConfigError, StartError."""
    data = DataDirectory(data_path)
    found = data.settings_files()
    config = load([*found, *files], environ, assignments)
    return Sealer.of((with_master_key(config, data) if data.master_key.exists() else config).secrets)


async def run(dsn: str, sealer: Sealer) -> Resealed:
    """For a command. Raises DatabaseUnavailable, NoMasterKey."""
    database = await Database.connect(dsn, size=1, application_name="mailraven-reseal")
    try:
        return await reseal(database, sealer)
    finally:
        await database.close()


async def reseal(database: Database, sealer: Sealer) -> Resealed:
    """May run beside the servers, when they have all the keys, and be repeated. Raises NoMasterKey."""
    if not sealer.ready:
        raise NoMasterKey
    done = Resealed()
    for column in _COLUMNS:
        await _reseal(database, sealer, column, done)
    return done


async def _reseal(database: Database, sealer: Sealer, column: _Column, done: Resealed) -> None:
    names = ", ".join(column.key)
    places = ", ".join(f"${number}" for number in range(2, 2 + len(column.key)))
    first = f"SELECT {names}, {column.column} AS sealed FROM {column.table} WHERE {column.column} IS NOT NULL"  # noqa: S608 - names written in the program
    rest = f"{first} AND ({names}) > ({places})"
    after: tuple[Any, ...] = ()
    while True:
        statement = f"{rest if after else first} ORDER BY {names} LIMIT $1"
        async with database.transaction() as connection:
            rows = await connection.fetch(statement, _BATCH, *after)
            for row in rows:
                await _reseal_row(connection, sealer, column, row, done)
        if len(rows) < _BATCH:
            return
        after = tuple(rows[-1][name] for name in column.key)


async def _reseal_row(connection: Any, sealer: Sealer, column: _Column, row: Any, done: Resealed) -> None:
    if sealer.is_current(row["sealed"]):
        done.current += 1
        return
    purpose = column.purpose_of(row)
    try:
        plaintext = sealer.open(purpose, row["sealed"])
    except SealingError as error:
        done.problems.append(str(error))
        return
    where = " AND ".join(f"{name} = ${number}" for number, name in enumerate(column.key, start=3))
    # One that was changed meanwhile is sealed with the first key already.
    await connection.execute(
        f"UPDATE {column.table} SET {column.column} = $1 WHERE {column.column} = $2 AND {where}",  # noqa: S608 - names written in the program
        sealer.seal(purpose, plaintext),
        row["sealed"],
        *(row[name] for name in column.key),
    )
    done.sealed += 1
