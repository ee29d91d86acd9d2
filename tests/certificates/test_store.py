"""Rows: put, replace, delete, versions, and that the key is never readable in them."""

import datetime as dt
from dataclasses import replace

import pytest

from mailraven.certificates import (
    Checked,
    NoSuchCertificate,
    check_upload,
    delete_certificate,
    get_certificate,
    list_certificates,
    put_certificate,
)
from mailraven.db import Database
from mailraven.directory.errors import VersionMismatch
from mailraven.sealing import NoMasterKey, Sealer, certificate_purpose
from mailraven.testing.authority import Authority, Issued


def checked(issued: Issued) -> Checked:
    return check_upload(issued.chain, issued.private_key, dt.datetime.now(dt.UTC))


async def test_put_is_idempotent_and_a_replacement_says_what_is_lost(
    database: Database, authority: Authority, sealer: Sealer
) -> None:
    first = checked(authority.issue("a.test", "b.test"))
    async with database.transaction() as connection:
        made = await put_certificate(connection, sealer, "main", first)
        again = await put_certificate(connection, sealer, "main", first)
        assert (made.before, made.changed, made.after.version) == (None, True, 1)
        assert (again.changed, again.after) == (False, made.after)
        other = await put_certificate(connection, sealer, "main", checked(authority.issue("a.test")), expected=1)
        assert (other.changed, other.names_lost, other.after.version) == (True, ("b.test",), 2)
        assert await get_certificate(connection, "main") == other.after
        assert await list_certificates(connection) == [other.after]
        with pytest.raises(VersionMismatch):
            await put_certificate(connection, sealer, "main", first, expected=1)
        with pytest.raises(VersionMismatch):
            await put_certificate(connection, sealer, "new", first, expected=1)
        with pytest.raises(VersionMismatch):
            await delete_certificate(connection, "main", expected=1)
        assert await delete_certificate(connection, "main", expected=2) == other.after
        with pytest.raises(NoSuchCertificate, match="there is no certificate 'main'"):
            await get_certificate(connection, "main")


async def test_the_key_is_sealed_for_its_name(database: Database, authority: Authority, sealer: Sealer) -> None:
    upload = checked(authority.issue("a.test"))
    async with database.transaction() as connection:
        await put_certificate(connection, sealer, "main", upload)
        sealed = await connection.fetchval("SELECT key_sealed FROM certificate")
        assert upload.key not in sealed
        assert sealer.open(certificate_purpose("main"), sealed) == upload.key
        # A new first master key: the same upload is sealed anew.
        assert (await put_certificate(connection, Sealer([bytes([1] * 32), bytes(32)]), "main", upload)).changed


async def test_without_a_master_key_nothing_is_stored(database: Database, authority: Authority) -> None:
    upload = checked(authority.issue("a.test"))
    async with database.transaction() as connection:
        with pytest.raises(NoMasterKey):
            await put_certificate(connection, Sealer([]), "main", upload)
        assert await list_certificates(connection) == []


async def test_listing_goes_on_after_a_name(database: Database, authority: Authority, sealer: Sealer) -> None:
    upload = checked(authority.issue("a.test"))
    async with database.transaction() as connection:
        for number in range(5):
            await put_certificate(connection, sealer, f"c{number}", replace(upload))
        first = await list_certificates(connection, limit=3)
        rest = await list_certificates(connection, after=first[-1].name, limit=3)
    assert [row.name for row in first + rest] == ["c0", "c1", "c2", "c3", "c4"]
