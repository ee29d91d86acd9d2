"""Making, changing and removing domains, accounts and aliases; lists in pages."""

import asyncio

import pytest

from mailraven.db import Database
from mailraven.directory import (
    AccountExists,
    AddressError,
    AliasExists,
    Directory,
    DirectoryError,
    DirectoryUnavailable,
    DomainExists,
    InvalidValue,
    NoSuchAccount,
    NoSuchAlias,
    NoSuchDomain,
    NotEmpty,
    WeakPassword,
)


@pytest.fixture
async def town(directory: Directory) -> Directory:
    """With example.org."""
    await directory.create_domain("example.org")
    return directory


async def test_a_new_account_has_its_mailboxes(town: Directory, database: Database) -> None:
    account = await town.create_account("Anna@Example.org", "correct horse", display_name="Anna", quota_bytes=10**9)
    assert (account.address, account.display_name, account.quota_bytes) == ("anna@example.org", "Anna", 10**9)
    async with database.acquire() as connection:
        rows = await connection.fetch("SELECT * FROM mailbox WHERE account_id = $1 ORDER BY id", account.id)
        subscribed = await connection.fetch("SELECT name FROM subscription WHERE account_id = $1", account.id)
        following = await connection.fetchval("SELECT uidvalidity_next FROM account WHERE id = $1", account.id)
    assert [(row["name"], row["special_use"]) for row in rows] == [
        ("INBOX", None),
        ("Sent", "\\Sent"),
        ("Drafts", "\\Drafts"),
        ("Trash", "\\Trash"),
        ("Junk", "\\Junk"),
        ("Archive", "\\Archive"),
    ]
    assert {row["name"] for row in subscribed} == {row["name"] for row in rows}
    validities = [row["uidvalidity"] for row in rows]
    assert validities == list(range(following - 6, following))
    assert all(row["uidnext"] == 1 for row in rows)


async def test_names_are_taken_once(town: Directory) -> None:
    with pytest.raises(DomainExists):
        await town.create_domain("EXAMPLE.org.")
    await town.create_account("anna@example.org", None)
    await town.create_alias("info@example.org", ["anna@example.org"])
    with pytest.raises(AccountExists):
        await town.create_account("ANNA@example.org", None)
    with pytest.raises(AliasExists):
        await town.create_account("info@example.org", None)
    with pytest.raises(AccountExists):
        await town.create_alias("Anna@example.org", ["ben@elsewhere.example"])
    with pytest.raises(AliasExists):
        await town.create_alias("INFO@example.org", ["ben@elsewhere.example"])


async def test_of_many_at_once_one_wins(town: Directory, other: Directory) -> None:
    attempts = [
        *(some.create_account("anna@example.org", None) for some in (town, other) for _ in range(5)),
        *(some.create_alias("anna@example.org", ["x@elsewhere.example"]) for some in (town, other) for _ in range(5)),
    ]
    results = await asyncio.gather(*attempts, return_exceptions=True)
    assert sum(not isinstance(result, BaseException) for result in results) == 1
    assert {type(result) for result in results if isinstance(result, BaseException)} <= {AccountExists, AliasExists}


async def test_what_is_not_there_is_said(town: Directory) -> None:
    attempts = {
        town.create_account("anna@elsewhere.example", None): NoSuchDomain,
        town.create_alias("anna@elsewhere.example", ["x@example.org"]): NoSuchDomain,
        town.delete_domain("elsewhere.example"): NoSuchDomain,
        town.set_domain_suspended("elsewhere.example", True): NoSuchDomain,
        town.set_password("anna@example.org", "correct horse"): NoSuchAccount,
        town.set_suspended("anna@example.org", True): NoSuchAccount,
        town.set_quota("anna@example.org", 1): NoSuchAccount,
        town.delete_account("anna@example.org"): NoSuchAccount,
        town.get_account("anna@example.org"): NoSuchAccount,
        town.delete_alias("anna@example.org"): NoSuchAlias,
    }
    for attempt, error in attempts.items():
        with pytest.raises(error):
            await attempt


@pytest.mark.parametrize(
    "name", ["", "a b", "-a.example", "[192.0.2.1]", "exa\0mple", "x" * 300, "'; DROP TABLE domain;--"]
)
async def test_a_name_that_is_no_domain_is_refused(directory: Directory, name: str) -> None:
    with pytest.raises(AddressError):
        await directory.create_domain(name)
    assert await directory.list_domains() == []


@pytest.mark.parametrize(
    "address", ["", "anna", "@example.org", "*@example.org", "anna+x@example.org", "a\0@example.org"]
)
async def test_an_address_that_no_account_can_have_is_refused(town: Directory, address: str) -> None:
    with pytest.raises(AddressError):
        await town.create_account(address, None)
    assert await town.list_accounts("example.org") == []


async def test_values_that_cannot_be_stored_are_refused_and_nothing_is_changed(town: Directory) -> None:
    for options in (
        {"display_name": "a\0b"},
        {"display_name": "a\r\nb"},
        {"display_name": "a\udcff"},
        {"display_name": "x" * 201},
        {"quota_bytes": 0},
        {"quota_bytes": -1},
        {"quota_bytes": 2**63},
    ):
        with pytest.raises(InvalidValue):
            await town.create_account("anna@example.org", None, **options)  # type: ignore[arg-type]
    with pytest.raises(WeakPassword):
        await town.create_account("anna@example.org", "short")
    assert await town.list_accounts("example.org") == []
    for targets in (
        [],
        ["no address"],
        ["all@example.org"],
        ["ALL@EXAMPLE.ORG"],
        [f"u{n}@a.example" for n in range(1001)],
    ):
        with pytest.raises(InvalidValue):
            await town.create_alias("all@example.org", targets)
    assert await town.list_aliases("example.org") == []


async def test_text_with_quotes_is_stored_as_it_is(town: Directory) -> None:
    name = """O'Brien "x" \\ % ; -- <script>"""
    await town.create_account("o'brien@example.org", None, display_name=name)
    await town.create_account('"two words"@example.org', None)
    account = await town.get_account("O'BRIEN@example.org")
    assert (account.address, account.display_name) == ("o'brien@example.org", name)
    assert (await town.get_account('"TWO words"@example.org')).address == '"two words"@example.org'


async def test_an_alias_keeps_the_case_of_foreign_targets_and_goes_as_a_whole(town: Directory) -> None:
    alias = await town.create_alias(
        "Info@example.org", ["Bob@Elsewhere.example", "Bob@elsewhere.EXAMPLE", "x@a.example"]
    )
    assert alias.address == "info@example.org"
    assert alias.targets == ("Bob@elsewhere.example", "x@a.example")
    assert await town.list_aliases("example.org") == [alias]
    await town.delete_alias("INFO@example.org")
    assert await town.list_aliases("example.org") == []


async def test_an_account_with_mail_stays_and_an_empty_one_goes(town: Directory, database: Database) -> None:
    account = await town.create_account("anna@example.org", None)
    with pytest.raises(NotEmpty):
        await town.delete_domain("example.org")
    async with database.acquire() as connection:
        await connection.execute("UPDATE mailbox SET messages = 1 WHERE name = 'Trash'")
    with pytest.raises(NotEmpty):
        await town.delete_account("anna@example.org")
    async with database.acquire() as connection:
        await connection.execute("UPDATE mailbox SET messages = 0")
    await town.delete_account("anna@example.org")
    again = await town.create_account("anna@example.org", None)
    assert again.id != account.id
    await town.delete_account("anna@example.org")
    await town.create_alias("info@example.org", ["x@a.example"])
    await town.delete_domain("example.org")
    async with database.acquire() as connection:
        for table in ("domain", "account", "alias", "mailbox", "subscription"):
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0


async def test_lists_come_in_pages_without_gap_or_repeat(town: Directory) -> None:
    addresses = [f"user{n:02}@example.org" for n in range(7)]
    for address in addresses:
        await town.create_account(address, None)
        await town.create_alias(f"alias-{address}", [address])
        await town.create_domain(f"{address.partition('@')[0]}.example")
    seen: list[str] = []
    while page := await town.list_accounts("EXAMPLE.org", after=seen[-1] if seen else "", limit=3):
        seen += [account.address for account in page]
    assert seen == addresses
    seen.clear()
    while aliases := await town.list_aliases("example.org", after=seen[-1] if seen else "", limit=3):
        seen += [alias.address for alias in aliases]
    assert seen == [f"alias-{address}" for address in addresses]
    seen.clear()
    while domains := await town.list_domains(after=seen[-1] if seen else "", limit=3):
        seen += [domain.name for domain in domains]
    assert seen == ["example.org", *(f"user{n:02}.example" for n in range(7))]


async def test_a_list_shows_what_is_used(town: Directory, database: Database) -> None:
    await town.create_account("anna@example.org", None, display_name="Anna")
    await town.set_quota("anna@example.org", 500)
    await town.set_suspended("anna@example.org", True)
    async with database.acquire() as connection:
        await connection.execute("UPDATE mailbox SET bytes = 7")
    [account] = await town.list_accounts("example.org")
    assert (account.suspended, account.quota_bytes, account.used_bytes) == (True, 500, 42)
    assert account == await town.get_account("anna@example.org")


async def test_a_database_that_is_away_is_one_kind_of_error(town: Directory, database: Database) -> None:
    await database._pool.close()
    for attempt in (town.create_domain("a.example"), town.list_domains(), town.get_account("a@example.org")):
        with pytest.raises(DirectoryUnavailable):
            await attempt


def test_all_errors_are_directory_errors() -> None:
    for error in (AccountExists, AddressError, DirectoryUnavailable, InvalidValue, NotEmpty, WeakPassword):
        assert issubclass(error, DirectoryError)
