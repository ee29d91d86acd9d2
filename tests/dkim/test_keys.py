"""The life of DKIM keys, from the making to the end."""

import asyncio
import base64
import datetime as dt
import re

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from mailraven import dkim
from mailraven.db import Database
from mailraven.dkim import FreshKey, KeyInUse, NoSuchKey, SelectorExists, TooManyKeys
from mailraven.dkim.selectors import is_selector, next_selector
from mailraven.sealing import NoMasterKey, Sealer, WrongMasterKey
from mailraven_api.domain import DkimSettings

RSA, BOTH, LARGE = DkimSettings(), DkimSettings(ed25519=True), DkimSettings(key_size=3072)


async def keys_of(database: Database, domain_id: int) -> list[tuple[str, int, str]]:
    async with database.acquire() as connection:
        return [(key.algorithm, key.key_size, key.state) for key in await dkim.list_keys(connection, domain_id)]


async def ensure(database: Database, sealer: Sealer, domain_id: int, settings: DkimSettings) -> list[dkim.DkimKey]:
    fresh = await dkim.prepare_keys(settings)
    async with database.transaction() as connection:
        return await dkim.ensure_key(connection, sealer, domain_id, settings, fresh=fresh)


async def test_ensure_makes_what_is_missing_once(database: Database, sealer: Sealer, domain_id: int) -> None:
    (first,) = await ensure(database, sealer, domain_id, RSA)
    assert (first.state, first.key_size) == ("active", 2048)
    assert re.fullmatch(r"mr\d{6}a", first.selector)
    assert await ensure(database, sealer, domain_id, RSA) == []
    (second,) = await ensure(database, sealer, domain_id, BOTH)
    assert (second.algorithm, second.state, second.selector[-1]) == ("ed25519", "pending", "b")
    assert await ensure(database, sealer, domain_id, BOTH) == []
    (third,) = await ensure(database, sealer, domain_id, LARGE)
    assert (third.key_size, third.state) == (3072, "pending")
    assert await ensure(database, sealer, domain_id, LARGE) == []
    # Back to the size that signs: the newest is the pending one, so another is made.
    (fourth,) = await ensure(database, sealer, domain_id, RSA)
    assert (fourth.key_size, fourth.state) == (2048, "pending")


async def test_ensure_at_the_same_time_makes_one(database: Database, sealer: Sealer, domain_id: int) -> None:
    made = await asyncio.gather(*(ensure(database, sealer, domain_id, RSA) for _ in range(4)))
    assert sorted(len(keys) for keys in made) == [0, 0, 0, 1]
    assert await keys_of(database, domain_id) == [("rsa", 2048, "active")]


async def test_ensure_without_pairs_makes_them(database: Database, sealer: Sealer, domain_id: int) -> None:
    async with database.transaction() as connection:
        (key,) = await dkim.ensure_key(connection, sealer, domain_id, RSA)
        assert key.state == "active"
        with pytest.raises(NoSuchKey, match="no longer there"):
            await dkim.ensure_key(connection, sealer, domain_id + 1, RSA)


async def test_a_rotation(database: Database, sealer: Sealer, domain_id: int) -> None:
    await ensure(database, sealer, domain_id, BOTH)
    fresh = await dkim.prepare_keys(BOTH)
    async with database.transaction() as connection:
        old = {key.algorithm: key for key in await dkim.list_keys(connection, domain_id)}
        new = await dkim.rotate_keys(connection, sealer, domain_id, BOTH, fresh=fresh)
        assert [(key.algorithm, key.state) for key in new] == [("rsa", "pending"), ("ed25519", "pending")]
        keys = await dkim.list_keys(connection, domain_id)
        assert dkim.lacking_for_rotation(keys, BOTH) == []
        assert dkim.lacking_for_rotation(keys, LARGE) == [("rsa", 3072)]
        assert await dkim.rotate_keys(connection, sealer, domain_id, BOTH) == new
        before = await dkim.signing_keys(connection, sealer, domain_id)
        assert {key.selector for key in before} == {key.selector for key in old.values()}
    async with database.transaction() as connection:
        active = await dkim.activate_key(connection, domain_id, new[0].selector)
        assert (active.state, active.activated_at is not None) == ("active", True)
        assert await dkim.activate_key(connection, domain_id, new[0].selector) == active
        retired = await dkim.get_key(connection, domain_id, old["rsa"].selector)
        assert retired.state == "retired"
        now = dt.datetime.now(dt.UTC)
        published = await dkim.published_keys(connection, domain_id, now)
        assert retired.selector in {key.selector for key in published}
        published = await dkim.published_keys(connection, domain_id, now + dt.timedelta(days=8))
        assert retired.selector not in {key.selector for key in published}
        signing = await dkim.signing_keys(connection, sealer, domain_id)
        assert {key.selector for key in signing} == {new[0].selector, old["ed25519"].selector}
    async with database.transaction() as connection:  # back
        assert (await dkim.activate_key(connection, domain_id, retired.selector)).retired_at is None
        assert (await dkim.get_key(connection, domain_id, new[0].selector)).state == "retired"


async def test_the_last_key_that_signs_stays(database: Database, sealer: Sealer, domain_id: int) -> None:
    (rsa_key, other) = await ensure(database, sealer, domain_id, BOTH)
    async with database.transaction() as connection:
        with pytest.raises(KeyInUse):
            await dkim.delete_key(connection, domain_id, other.selector)
        retired = await dkim.retire_key(connection, domain_id, other.selector)
        assert await dkim.retire_key(connection, domain_id, other.selector) == retired
        with pytest.raises(KeyInUse, match="the only key that signs"):
            await dkim.retire_key(connection, domain_id, rsa_key.selector)
        assert await dkim.delete_key(connection, domain_id, other.selector) == retired
        for change in (dkim.retire_key, dkim.delete_key, dkim.activate_key):
            with pytest.raises(NoSuchKey, match="no DKIM key with selector"):
                await change(connection, domain_id, other.selector)


async def test_created_keys(database: Database, sealer: Sealer, domain_id: int) -> None:
    pair = await dkim.generate_key("ed25519", 0)
    async with database.transaction() as connection:
        key = await dkim.create_key(connection, sealer, domain_id, pair, selector="relay1")
        assert (key.selector, key.state, key.public_key) == ("relay1", "pending", pair.public_key)
        with pytest.raises(SelectorExists):
            await dkim.create_key(connection, sealer, domain_id, pair, selector="relay1")
        with pytest.raises(ValueError, match="selector"):
            await dkim.create_key(connection, sealer, domain_id, pair, selector="a b")
        for _ in range(31):
            await dkim.create_key(connection, sealer, domain_id, pair)
        with pytest.raises(TooManyKeys):
            await dkim.create_key(connection, sealer, domain_id, pair)
    with pytest.raises(ValueError, match="expected an RSA key size"):
        await dkim.generate_key("rsa", 1024)


async def test_private_keys_are_sealed_and_fit(database: Database, sealer: Sealer, domain_id: int) -> None:
    await ensure(database, sealer, domain_id, BOTH)
    async with database.acquire() as connection:
        public = {
            key.algorithm: base64.b64decode(key.public_key) for key in await dkim.list_keys(connection, domain_id)
        }
        opened = {key.algorithm: key.private for key in await dkim.signing_keys(connection, sealer, domain_id)}
        with pytest.raises(WrongMasterKey):
            await dkim.signing_keys(connection, Sealer([bytes([9] * 32)]), domain_id)
    signer = opened["rsa"]
    assert isinstance(signer, rsa.RSAPrivateKey)
    verifier = serialization.load_der_public_key(public["rsa"])
    assert isinstance(verifier, rsa.RSAPublicKey)
    verifier.verify(signer.sign(b"x", padding.PKCS1v15(), hashes.SHA256()), b"x", padding.PKCS1v15(), hashes.SHA256())
    edwards = opened["ed25519"]
    assert isinstance(edwards, ed25519.Ed25519PrivateKey)
    ed25519.Ed25519PublicKey.from_public_bytes(public["ed25519"]).verify(edwards.sign(b"x"), b"x")
    shown = repr(await dkim.generate_key("ed25519", 0)) + repr(dkim.SigningKey("a", "rsa", signer))
    assert "private" not in shown


async def test_without_a_master_key_no_key_is_made(database: Database, domain_id: int) -> None:
    with pytest.raises(NoMasterKey):
        await ensure(database, Sealer([]), domain_id, RSA)
    assert await keys_of(database, domain_id) == []


async def test_generation_leaves_the_event_loop_alone() -> None:
    gaps, last = list[float](), asyncio.get_running_loop().time()

    async def watch() -> None:
        nonlocal last
        while True:
            await asyncio.sleep(0.001)
            now = asyncio.get_running_loop().time()
            gaps.append(now - last)
            last = now

    watcher = asyncio.create_task(watch())
    made: FreshKey = await dkim.generate_key("rsa", 4096)
    watcher.cancel()
    assert made.key_size == 4096
    assert max(gaps, default=0) < 0.5
    assert len(gaps) > 5


def test_selectors() -> None:
    now = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
    taken: set[str] = set()
    for _ in range(28):
        taken.add(next_selector(taken, now))
    assert {"mr202611a", "mr202611z", "mr202611aa", "mr202611ab"} <= taken
    assert all(is_selector(name) for name in (*taken, "default", "relay-1", "a.b", "a" * 63))
    assert not any(is_selector(name) for name in ("", "A", "a_b", "-a", "a-", "a..b", ".a", "a" * 64, "a\n", "ä"))
