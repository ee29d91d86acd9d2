"""The keys of a domain: pending -> active -> retired, one active key for each algorithm.

A key that nobody can look up yet must not sign: a new one of a domain that signs already begins as pending.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from mailraven.dkim.errors import KeyInUse, NoSuchKey, SelectorExists, TooManyKeys
from mailraven.dkim.generation import ED25519_SIZE, Algorithm, FreshKey, generate_key
from mailraven.dkim.model import COLUMNS, DkimKey, State, key_of
from mailraven.dkim.selectors import is_selector, next_selector
from mailraven.sealing import Sealer, dkim_purpose
from mailraven_api.domain import DkimSettings

MAX_KEYS = 32  # of a domain
# Changes of a domain's keys happen one after the other; rows that refer to the domain can still be added meanwhile.
_LOCK = "SELECT id FROM domain WHERE id = $1 FOR NO KEY UPDATE"
_INSERT = f"""
INSERT INTO dkim_key (domain_id, selector, algorithm, key_size, private_sealed, public_key, state, activated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, CASE WHEN $7 = 'active' THEN now() END)
RETURNING {COLUMNS}
"""  # noqa: S608 - constants
_ACTIVATE = f"""
UPDATE dkim_key SET state = 'active', activated_at = now(), retired_at = NULL
WHERE domain_id = $1 AND selector = $2
RETURNING {COLUMNS}
"""  # noqa: S608 - names written in the program
_RETIRE_OTHERS = """
UPDATE dkim_key SET state = 'retired', retired_at = now()
WHERE domain_id = $1 AND algorithm = $2 AND state = 'active' AND selector <> $3
"""
_RETIRE = f"""
UPDATE dkim_key SET state = 'retired', retired_at = coalesce(retired_at, now())
WHERE domain_id = $1 AND selector = $2
RETURNING {COLUMNS}
"""  # noqa: S608 - names written in the program


def wanted(settings: DkimSettings) -> list[tuple[Algorithm, int]]:
    """Algorithms and sizes that the settings ask for."""
    found: list[tuple[Algorithm, int]] = [("rsa", settings.key_size)]
    if settings.ed25519:
        found.append(("ed25519", ED25519_SIZE))
    return found


async def prepare_keys(settings: DkimSettings) -> tuple[FreshKey, ...]:
    """Key pairs for ensure_key(), made before the transaction begins: that may take a second."""
    return tuple([await generate_key(algorithm, size) for algorithm, size in wanted(settings)])


async def ensure_key(
    connection: Any, sealer: Sealer, domain_id: int, settings: DkimSettings, *, fresh: Sequence[FreshKey] = ()
) -> list[DkimKey]:
    """Makes what the domain lacks, and returns the keys made; to be called in a transaction, as often as one likes.

    Where no key signs, the keys made do so at once; where one does, a further algorithm, or another size than the
    newest key has, begins as pending. `fresh` are pairs of prepare_keys(); a missing one is made here.
    Raises NoMasterKey, NoSuchKey (there is no such domain), TooManyKeys.
    """
    await _lock(connection, domain_id)
    keys = await list_keys(connection, domain_id)
    made: list[DkimKey] = []
    for algorithm, size in wanted(settings):
        state = _lacking(keys, algorithm, size)
        if state is None:
            continue
        pair = next((key for key in fresh if (key.algorithm, key.key_size) == (algorithm, size)), None)
        pair = pair or await generate_key(algorithm, size)
        key = await _insert(connection, sealer, domain_id, pair, None, state, [*keys, *made])
        made.append(key)
    return made


def _lacking(keys: Sequence[DkimKey], algorithm: Algorithm, size: int) -> State | None:
    """The state that a new key has to have; None: none is needed."""
    if not any(key.state == "active" for key in keys):
        return "active"
    usable = [key for key in keys if key.algorithm == algorithm and key.state != "retired"]
    newest = max(usable, key=lambda key: (key.state == "pending", key.created_at), default=None)
    return None if newest is not None and newest.key_size == size else "pending"


async def create_key(
    connection: Any, sealer: Sealer, domain_id: int, pair: FreshKey, *, selector: str | None = None
) -> DkimKey:
    """Stores a pair as a pending key; without a selector it gets a dated one.

    Raises NoMasterKey, NoSuchKey (there is no such domain), SelectorExists, TooManyKeys, ValueError (no selector).
    """
    if selector is not None and not is_selector(selector):
        raise ValueError("expected a selector of letters, digits, hyphens and dots, such as mr202611a")
    await _lock(connection, domain_id)
    keys = await list_keys(connection, domain_id)
    return await _insert(connection, sealer, domain_id, pair, selector, "pending", keys)


def lacking_for_rotation(keys: Sequence[DkimKey], settings: DkimSettings) -> list[tuple[Algorithm, int]]:
    """What rotate_keys() would make. Raises TooManyKeys."""
    lacking = [kind for kind in wanted(settings) if not _waiting(keys, *kind)]
    if lacking:
        check_room(keys)
    return lacking


async def rotate_keys(
    connection: Any, sealer: Sealer, domain_id: int, settings: DkimSettings, *, fresh: Sequence[FreshKey] = ()
) -> list[DkimKey]:
    """A pending key for each algorithm of the settings; one that waits already is returned as it is.

    `fresh` are pairs for what lacking_for_rotation() says; a missing one is made here. Raises as create_key.
    """
    await _lock(connection, domain_id)
    keys = await list_keys(connection, domain_id)
    found: list[DkimKey] = []
    for algorithm, size in wanted(settings):
        key = _waiting(keys, algorithm, size)
        if key is None:
            pair = next((one for one in fresh if (one.algorithm, one.key_size) == (algorithm, size)), None)
            pair = pair or await generate_key(algorithm, size)
            key = await _insert(connection, sealer, domain_id, pair, None, "pending", [*keys, *found])
        found.append(key)
    return found


def check_room(keys: Sequence[DkimKey]) -> None:
    """Whether one more key may be made. Raises TooManyKeys."""
    if len(keys) >= MAX_KEYS:
        raise TooManyKeys(f"the domain has {len(keys)} DKIM keys: delete retired ones first")


def _waiting(keys: Sequence[DkimKey], algorithm: Algorithm, size: int) -> DkimKey | None:
    """The newest pending key of this kind."""
    found = [key for key in keys if (key.state, key.algorithm, key.key_size) == ("pending", algorithm, size)]
    return found[-1] if found else None


async def activate_key(connection: Any, domain_id: int, selector: str) -> DkimKey:
    """From now on this key signs; the one before of the same algorithm is retired. A retired key may come back."""
    await _lock(connection, domain_id)
    key = await get_key(connection, domain_id, selector)
    if key.state == "active":
        return key
    await connection.execute(_RETIRE_OTHERS, domain_id, key.algorithm, selector)
    return key_of(await connection.fetchrow(_ACTIVATE, domain_id, selector))


async def retire_key(connection: Any, domain_id: int, selector: str) -> DkimKey:
    """It signs no more. Raises KeyInUse for the only active key: mail would go out without a signature."""
    await _lock(connection, domain_id)
    keys = await list_keys(connection, domain_id)
    key = _find(keys, selector)
    if [other.selector for other in keys if other.state == "active"] == [selector]:
        raise KeyInUse(
            f"{selector} is the only key that signs: activate another one, which retires this, or switch signing off"
        )
    return key if key.state == "retired" else key_of(await connection.fetchrow(_RETIRE, domain_id, selector))


async def delete_key(connection: Any, domain_id: int, selector: str) -> DkimKey:
    """For ever. Raises KeyInUse for an active key."""
    await _lock(connection, domain_id)
    key = await get_key(connection, domain_id, selector)
    if key.state == "active":
        raise KeyInUse(f"{selector} signs: activate another key first")
    await connection.execute("DELETE FROM dkim_key WHERE domain_id = $1 AND selector = $2", domain_id, selector)
    return key


async def list_keys(connection: Any, domain_id: int) -> list[DkimKey]:
    """All of the domain, oldest first; there are at most 32."""
    rows = await connection.fetch(
        f"SELECT {COLUMNS} FROM dkim_key WHERE domain_id = $1 ORDER BY created_at, selector",  # noqa: S608 - names written in the program
        domain_id,
    )
    return [key_of(row) for row in rows]


async def get_key(connection: Any, domain_id: int, selector: str) -> DkimKey:
    """Raises NoSuchKey."""
    return _find(await list_keys(connection, domain_id), selector)


async def published_keys(connection: Any, domain_id: int, now: dt.datetime) -> list[DkimKey]:
    """Those whose records belong in the DNS: all but the long retired."""
    keys = await list_keys(connection, domain_id)
    return [key for key in keys if (until := key.published_until()) is None or now < until]


def _find(keys: Sequence[DkimKey], selector: str) -> DkimKey:
    for key in keys:
        if key.selector == selector:
            return key
    raise NoSuchKey(f"the domain has no DKIM key with selector {selector!r}")


async def _lock(connection: Any, domain_id: int) -> None:
    if await connection.fetchval(_LOCK, domain_id) is None:
        raise NoSuchKey("the domain is no longer there")


async def _insert(
    connection: Any,
    sealer: Sealer,
    domain_id: int,
    pair: FreshKey,
    selector: str | None,
    state: State,
    keys: Sequence[DkimKey],
) -> DkimKey:
    taken = {key.selector for key in keys}
    check_room(keys)
    if selector in taken:
        raise SelectorExists(f"the domain has a DKIM key with selector {selector!r} already")
    name = selector or next_selector(taken, dt.datetime.now(dt.UTC))
    sealed = sealer.seal(dkim_purpose(domain_id, name), pair.private)
    return key_of(
        await connection.fetchrow(
            _INSERT, domain_id, name, pair.algorithm, pair.key_size, sealed, pair.public_key, state
        )
    )
