"""The certificates of the store, kept in step with Postgres: only what changed is read again."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

import structlog

from mailraven.certificates.stored_pair import StoredPair, der_chain
from mailraven.db import Database
from mailraven.sealing import Sealer, SealingError

_log = structlog.get_logger(component="certificates")
_BATCH = 100
_DIGEST = """
SELECT md5(coalesce(string_agg(name || ' ' || version || ' ' || fingerprint, ',' ORDER BY name), '')) FROM certificate
"""
_ROWS = """
SELECT name, version, fingerprint, key_type, names, not_before, not_after, chain, key_sealed
FROM certificate WHERE name = ANY($1)
"""


class Catalogue:
    """Of one process."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer
        self._digest: str | None = None
        self._known: dict[str, tuple[int, str]] = {}
        self._pairs: dict[str, StoredPair] = {}
        self._issuers: dict[bytes, bytes] = {}

    @property
    def pairs(self) -> Iterable[StoredPair]:
        """Those whose keys can be opened."""
        return self._pairs.values()

    async def refresh(self) -> bool:
        """Whether anything changed. Raises DatabaseUnavailable: then the next refresh goes on where this one ended."""
        async with self._database.acquire() as connection:
            digest = await connection.fetchval(_DIGEST)
            if digest == self._digest:
                return False
            rows = await connection.fetch("SELECT name, version, fingerprint FROM certificate")
            there = {row["name"]: (row["version"], row["fingerprint"]) for row in rows}
            for name in [name for name in self._known if name not in there]:
                self._known.pop(name)
                self._pairs.pop(name, None)
            changed = [name for name, state in there.items() if self._known.get(name) != state]
            for start in range(0, len(changed), _BATCH):
                for row in await connection.fetch(_ROWS, changed[start : start + _BATCH]):
                    self._take(row)
        self._digest = digest
        self._forget_issuers()
        return True

    def _take(self, row: Any) -> None:
        name = row["name"]
        self._known[name] = (row["version"], row["fingerprint"])
        leaf, *issuers = der_chain(row["chain"])
        pair = StoredPair(
            name=name,
            version=row["version"],
            fingerprint=row["fingerprint"],
            key_type=sys.intern(row["key_type"]),
            names=tuple(row["names"]),
            not_before=row["not_before"],
            not_after=row["not_after"],
            chain=(leaf, *(self._issuers.setdefault(der, der) for der in issuers)),
            key_sealed=row["key_sealed"],
            sealer=self._sealer,
        )
        try:
            pair.open()
        except SealingError as error:
            # Another certificate may serve its names; a wrong master key must not stop the mail.
            self._pairs.pop(name, None)
            _log.error("certificate_unusable", certificate=name, reason=str(error))
        else:
            self._pairs[name] = pair

    def _forget_issuers(self) -> None:
        self._issuers = {der: der for pair in self._pairs.values() for der in pair.chain[1:]}
