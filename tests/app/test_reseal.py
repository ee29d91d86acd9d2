"""A new master key: everything is sealed anew, what cannot be opened is named and stays."""

import datetime as dt

import pytest

from mailraven import dkim
from mailraven.app.reseal import reseal
from mailraven.certificates import check_upload, put_certificate
from mailraven.db import Database
from mailraven.sealing import NoMasterKey, Sealer, certificate_purpose, totp_purpose
from mailraven.testing.authority import Authority
from mailraven_api.domain import DkimSettings

OLD, NEW, LOST = bytes(32), bytes([1] * 32), bytes([2] * 32)


async def test_everything_opens_with_the_new_key_alone(database: Database) -> None:
    old, both, new = Sealer([OLD]), Sealer([NEW, OLD]), Sealer([NEW])
    issued = Authority().issue("a.test")
    upload = check_upload(issued.chain, issued.private_key, dt.datetime.now(dt.UTC))
    async with database.transaction() as connection:
        for number in range(450):
            await put_certificate(connection, old, f"c{number}", upload)
        await put_certificate(connection, Sealer([LOST]), "lost", upload)
        domain_id = await connection.fetchval("INSERT INTO domain (name) VALUES ('a.test') RETURNING id")
        await dkim.ensure_key(connection, old, domain_id, DkimSettings(ed25519=True))
        account_id = await connection.fetchval(
            "INSERT INTO account (domain_id, localpart, password_hash) VALUES ($1, 'a', '') RETURNING id", domain_id
        )
        sealed = old.seal(totp_purpose(account_id), b"secret")
        await connection.execute("UPDATE account SET totp_sealed = $2 WHERE id = $1", account_id, sealed)

    done = await reseal(database, both)
    assert (done.sealed, done.current) == (450 + 2 + 1, 0)
    (problem,) = done.problems
    assert problem.startswith("certificate lost was sealed with master key")

    again = await reseal(database, new)
    assert (again.sealed, again.current, again.problems) == (0, 453, done.problems)
    async with database.acquire() as connection:
        assert [key.algorithm for key in await dkim.signing_keys(connection, new, domain_id)] == ["ed25519", "rsa"]
        for row in await connection.fetch("SELECT name, key_sealed FROM certificate WHERE name <> 'lost'"):
            assert new.open(certificate_purpose(row["name"]), row["key_sealed"]) == upload.key
        secret = await connection.fetchval("SELECT totp_sealed FROM account")
        assert new.open(totp_purpose(account_id), secret) == b"secret"


async def test_without_a_master_key_nothing_is_done(database: Database) -> None:
    with pytest.raises(NoMasterKey):
        await reseal(database, Sealer([]))
