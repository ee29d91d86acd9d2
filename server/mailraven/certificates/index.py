"""Which certificates serve which name. Pure: an index is made anew with each change, and when one begins or ends."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mailraven.certificates.stored_pair import StoredPair


@dataclass(frozen=True, slots=True)
class Index:
    """For each DNS name the best ECDSA and the best RSA certificate; clients choose by what they can verify."""

    names: Mapping[str, tuple[StoredPair, ...]]
    stands_until: dt.datetime | None
    """When a certificate begins or ends to be valid: then another one may be the best."""

    def find(self, hostname: str) -> tuple[StoredPair, ...]:
        """By the exact name, then by wildcard."""
        return self.names.get(hostname) or self.names.get("*." + hostname.partition(".")[2], ())


def make_index(pairs: Iterable[StoredPair], now: dt.datetime) -> Index:
    """Valid ones before others, then the newest; one that is over serves only a name that has no valid one."""
    by_name: dict[str, list[StoredPair]] = defaultdict(list)
    turns: list[dt.datetime] = []
    for pair in pairs:
        for name in pair.names:
            by_name[name].append(pair)
        turns += [moment for moment in (pair.not_before, pair.not_after) if moment > now]
    names = {name: _best(found, now) for name, found in by_name.items()}
    for name in [name for name, found in names.items() if not _is_valid(found[0], now)]:
        wildcard = names.get("*." + name.partition(".")[2])
        if not name.startswith("*.") and wildcard is not None and _is_valid(wildcard[0], now):
            names[name] = wildcard
    return Index(names, min(turns, default=None))


def _best(pairs: list[StoredPair], now: dt.datetime) -> tuple[StoredPair, ...]:
    candidates = [pair for pair in pairs if _is_valid(pair, now)] or pairs
    best: dict[str, StoredPair] = {}
    for pair in candidates:
        kind = pair.key_type.partition("-")[0]
        if kind not in best or _rank(pair) > _rank(best[kind]):
            best[kind] = pair
    return tuple(best[kind] for kind in sorted(best))


def _is_valid(pair: StoredPair, now: dt.datetime) -> bool:
    return pair.not_before <= now < pair.not_after


def _rank(pair: StoredPair) -> tuple[dt.datetime, str]:
    return pair.not_before, pair.name
