"""The tables of one moment: a REPEATABLE READ transaction that reads and blocks nobody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import structlog

from mailraven.backup.bodies import COLUMNS as BODY_COLUMNS
from mailraven.backup.bodies import Bundle, Bundler, blob_id, parse_bodies
from mailraven.backup.progress import Progress
from mailraven.backup.repository import Repository
from mailraven.backup.rows import Cut, RowCutter
from mailraven.backup.snapshot import Chunk, Table
from mailraven.backup.tables import TableShape, quoted, shapes
from mailraven.db import Connection

_log = structlog.get_logger(component="backup")
_FOR_EVER = 7 * 86400.0


@dataclass(slots=True)
class BodyTotals:
    """Of the instance."""

    bodies: int = 0
    octets: int = 0
    blobs: int = 0


class TableExport:
    """Inside the caller's transaction. What is missing of the bodies is noted in the catalog, to be copied after it."""

    def __init__(self, connection: Connection, repository: Repository, progress: Progress) -> None:
        self._connection = connection
        self._repository = repository
        self._progress = progress
        self._bundler = Bundler()
        self.totals = BodyTotals()

    async def run(self) -> list[Table]:
        """All tables, in an order in which they can be loaded."""
        return [await self._table(shape) for shape in await shapes(self._connection)]

    async def sequences(self) -> dict[str, int]:
        """The last value given out by each; later than the moment or at it, which is what is needed."""
        rows = await self._connection.fetch(
            "SELECT sequencename AS name, last_value FROM pg_sequences"
            " WHERE schemaname = current_schema() AND last_value IS NOT NULL"
        )
        return {row["name"]: row["last_value"] for row in rows}

    async def _table(self, shape: TableShape) -> Table:
        is_body = shape.name == "body"
        columns = BODY_COLUMNS if is_body else shape.columns
        cutter = RowCutter()
        chunks: list[Chunk] = []

        async def take(data: bytes) -> None:
            for cut in cutter.feed(data):
                chunks.append(await self._chunk(cut, is_body))

        order = f" ORDER BY {', '.join(quoted(name) for name in shape.key)}" if shape.key else ""
        listed = ", ".join(quoted(name) for name in columns)
        query = f"SELECT {listed} FROM {quoted(shape.name)}{order}"  # noqa: S608 - names of Postgres' catalog
        await self._connection.copy_from_query(query, output=take, format="text", timeout=_FOR_EVER)
        for cut in cutter.finish():
            chunks.append(await self._chunk(cut, is_body))
        if is_body:
            self._note_bundles(self._bundler.finish())
        return Table(
            name=shape.name,
            columns=columns,
            rows=cutter.rows,
            octets=cutter.octets,
            sha256=cutter.sha256,
            chunks=tuple(chunks),
        )

    async def _chunk(self, cut: Cut, is_body: bool) -> Chunk:
        if is_body:
            self._note_bodies(cut.octets)
        chunk_id = await self._repository.put_content(cut.octets)
        self._progress.advance(cut.rows)
        first, last = (text.decode(errors="replace") for text in (cut.first, cut.last))
        return Chunk(id=chunk_id.hex(), rows=cut.rows, first=first, last=last)

    def _note_bodies(self, octets: bytes) -> None:
        rows = parse_bodies(octets)
        for row in rows:
            self.totals.bodies += 1
            self.totals.octets += row.size
            if row.key is not None:
                self.totals.blobs += 1
                if not self._repository.knows(blob_id(self._repository.codec, row.sha256, row.size)):
                    self._repository.catalog.add_blob(row.key, row.size, row.sha256)
        self._note_bundles(self._bundler.add(rows))

    def _note_bundles(self, bundles: Iterator[Bundle]) -> None:
        for bundle in bundles:
            bundle_id = bundle.id(self._repository.codec)
            if not self._repository.knows(bundle_id):
                ids = b"".join(row.id.to_bytes(8, "big") for row in bundle.rows)
                self._repository.catalog.add_bundle(bundle_id, bundle.rows[0].account, ids)
