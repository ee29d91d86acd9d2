"""Where mail for an address goes."""

import asyncio
from collections.abc import Iterable

import asyncpg
import pytest

from mailraven.db import Database
from mailraven.directory import (
    AliasTooLarge,
    Directory,
    DirectoryUnavailable,
    LocalAccount,
    NotLocalDomain,
    Resolution,
    Route,
    Suspended,
    Targets,
    UnknownRecipient,
)


@pytest.fixture
async def town(directory: Directory) -> Directory:
    """example.org with anna, ben and some aliases; example.net with carla."""
    await directory.create_domain("example.org")
    await directory.create_domain("example.net")
    for address in ("anna@example.org", "ben@example.org", "carla@example.net"):
        await directory.create_account(address, None)
    await directory.create_alias("info@example.org", ["Anna@example.org", "Out@Elsewhere.example"])
    await directory.create_alias("all@example.org", ["info@example.org", "ben@example.org", "carla@example.net"])
    return directory


def names(resolution: Resolution) -> tuple[list[str], list[str], Route]:
    assert isinstance(resolution, Targets), resolution
    return [a.address for a in resolution.accounts], list(resolution.remote), resolution.route


async def insert_alias(database: Database, localpart: str, targets: Iterable[str]) -> None:
    async with database.acquire() as connection:
        await connection.execute(
            "INSERT INTO alias (domain_id, localpart, target)"
            " SELECT d.id, $1, unnest($2::text[]) FROM domain d WHERE d.name = 'example.org'",
            localpart,
            list(targets),
        )


@pytest.mark.parametrize(
    "address",
    ["anna@example.org", "ANNA@EXAMPLE.ORG", '"anna"@example.org', "anna+x@example.org", "Anna+a+b@example.org"],
)
async def test_an_account_is_found_by_any_form_of_its_address(town: Directory, address: str) -> None:
    assert names(await town.resolve(address)) == (["anna@example.org"], [], Route.ACCOUNT)


@pytest.mark.parametrize("address", ["a@elsewhere.example", "a@org", "a@sub.example.org", "a@[127.0.0.1]"])
async def test_other_domains_are_not_local(town: Directory, address: str) -> None:
    assert await town.resolve(address) == NotLocalDomain()


@pytest.mark.parametrize(
    "address",
    ["nobody@example.org", "+anna@example.org", "a'; DROP TABLE account;--@example.org", "%@example.org",
     "_nna@example.org", "nobody", "@example.org", "", "a@b@example.org", "an\0na@example.org"],
)  # fmt: skip
async def test_what_leads_nowhere_is_unknown(town: Directory, address: str) -> None:
    assert await town.resolve(address) == UnknownRecipient()


async def test_aliases_are_followed_once_each_to_mixed_targets(town: Directory) -> None:
    accounts, remote, route = names(await town.resolve("all@example.org"))
    assert sorted(accounts) == ["anna@example.org", "ben@example.org", "carla@example.net"]
    assert remote == ["Out@elsewhere.example"]
    assert route is Route.ALIAS
    assert names(await town.resolve("INFO+tag@example.org"))[0] == ["anna@example.org"]


async def test_loops_end(town: Directory, database: Database) -> None:
    await insert_alias(database, "a", ["b@example.org", "A@example.org"])
    await insert_alias(database, "b", ["a@example.org", "anna@example.org"])
    await insert_alias(database, "ring", ["ring+x@example.org"])
    town.invalidate()
    assert names(await town.resolve("a@example.org"))[0] == ["anna@example.org"]
    async with asyncio.timeout(10):
        assert await town.resolve("nothing-but-ring@example.org") == UnknownRecipient()
        assert await town.resolve("ring@example.org") == UnknownRecipient()


async def test_a_chain_may_have_ten_links_and_not_more(town: Directory, database: Database) -> None:
    for number in range(11):
        await insert_alias(
            database, f"c{number}", [f"c{number + 1}@example.org" if number < 10 else "anna@example.org"]
        )
    town.invalidate()
    assert names(await town.resolve("c1@example.org"))[0] == ["anna@example.org"]
    with pytest.raises(AliasTooLarge):
        await town.resolve("c0@example.org")


async def test_a_thousand_targets_cost_two_round_trips(town: Directory, database: Database) -> None:
    await insert_alias(database, "list", [f"u{n}@elsewhere.example" for n in range(1000)])
    town.invalidate()
    assert len(names(await town.resolve("list@example.org"))[1]) == 1000


async def test_a_target_that_is_no_address_is_skipped(town: Directory, database: Database) -> None:
    await insert_alias(database, "odd", ["a b@example.org", "anna@example.org", "x@-bad-.example"])
    town.invalidate()
    assert names(await town.resolve("odd@example.org")) == (["anna@example.org"], [], Route.ALIAS)


async def test_postmaster_is_the_oldest_account_until_somebody_is_called_so(town: Directory) -> None:
    assert names(await town.resolve("PostMaster@example.org")) == (["anna@example.org"], [], Route.POSTMASTER)
    assert names(await town.resolve("Postmaster")) == (["anna@example.org"], [], Route.POSTMASTER)
    assert names(await town.resolve("postmaster@example.net"))[0] == ["carla@example.net"]
    await town.set_suspended("anna@example.org", True)
    assert names(await town.resolve("postmaster@example.org"))[0] == ["ben@example.org"]
    await town.create_alias("postmaster@example.org", ["carla@example.net"])
    assert names(await town.resolve("postmaster@example.org")) == (["carla@example.net"], [], Route.ALIAS)
    # An alias that leads nowhere must not make postmaster unreachable.
    await town.set_suspended("carla@example.net", True)
    assert names(await town.resolve("postmaster@example.org"))[0] == ["ben@example.org"]


async def test_postmaster_of_an_empty_installation_is_unknown(directory: Directory) -> None:
    assert await directory.resolve("postmaster") == UnknownRecipient()
    await directory.create_domain("example.org")
    assert await directory.resolve("postmaster") == UnknownRecipient()
    await directory.create_alias("*@example.org", ["out@elsewhere.example"])
    assert names(await directory.resolve("postmaster"))[1] == ["out@elsewhere.example"]


async def test_the_domain_of_a_bare_postmaster_can_be_set(database: Database, town: Directory) -> None:
    other = Directory(database, postmaster_domain="example.net")
    assert names(await other.resolve("postmaster"))[0] == ["carla@example.net"]
    await other.close()


async def test_the_catch_all_takes_what_nobody_else_does(town: Directory) -> None:
    await town.create_alias("*@example.org", ["ben@example.org"])
    assert names(await town.resolve("anything@example.org")) == (["ben@example.org"], [], Route.CATCH_ALL)
    assert names(await town.resolve("anna@example.org"))[0] == ["anna@example.org"]
    assert names(await town.resolve("anna+x@example.org"))[0] == ["anna@example.org"]
    assert names(await town.resolve("postmaster@example.org"))[0] == ["anna@example.org"]
    assert await town.resolve("anything@example.net") == UnknownRecipient()


async def test_suspended_accounts_and_domains_receive_nothing(town: Directory) -> None:
    await town.set_suspended("anna@example.org", True)
    assert await town.resolve("anna@example.org") == Suspended()
    assert sorted(names(await town.resolve("all@example.org"))[0]) == ["ben@example.org", "carla@example.net"]
    await town.create_alias("only@example.net", ["anna@example.org"])
    assert await town.resolve("only@example.net") == Suspended()
    await town.set_domain_suspended("example.net", True)
    for address in ("carla@example.net", "nobody@example.net", "postmaster@example.net"):
        assert await town.resolve(address) == Suspended()
    assert names(await town.resolve("all@example.org"))[0] == ["ben@example.org"]
    await town.set_suspended("anna@example.org", False)
    await town.set_domain_suspended("example.net", False)
    assert len(names(await town.resolve("all@example.org"))[0]) == 3


async def test_a_quota_comes_with_what_is_used(town: Directory, database: Database, clock) -> None:
    await town.set_quota("anna@example.org", 1000)
    async with database.acquire() as connection:
        await connection.execute("UPDATE mailbox SET bytes = 300 WHERE name IN ('INBOX', 'Sent')")
    resolution = await town.resolve("anna@example.org")
    assert isinstance(resolution, Targets)
    [account] = resolution.accounts
    assert account == LocalAccount(account.account_id, "anna@example.org", 1000, 600)
    assert account.quota_left == 400
    async with database.acquire() as connection:
        await connection.execute("UPDATE mailbox SET bytes = 600 WHERE name IN ('INBOX', 'Sent')")
    clock.now += 5.0
    resolution = await town.resolve("anna@example.org")
    assert isinstance(resolution, Targets)
    assert resolution.accounts[0].quota_left == 0
    ben = await town.resolve("ben@example.org")
    assert isinstance(ben, Targets)
    assert ben.accounts[0].quota_left is None


async def test_an_internationalized_domain_and_localpart(directory: Directory) -> None:
    await directory.create_domain("MÜLLER.example")
    await directory.create_account("Jürgen@müller.example", None)
    for address in ("jürgen@xn--mller-kva.example", "JU\u0308RGEN@Müller.Example"):
        assert names(await directory.resolve(address))[0] == ["jürgen@xn--mller-kva.example"]
    assert await directory.is_local_domain("müller.EXAMPLE.")


async def test_is_local_domain(town: Directory) -> None:
    assert await town.is_local_domain("Example.org")
    assert not await town.is_local_domain("elsewhere.example")
    assert not await town.is_local_domain("not a domain")


async def test_answers_come_from_memory_while_the_database_is_away(town: Directory, database: Database) -> None:
    await database.listener.close()  # a late notification of what the fixture made would empty the memory
    await town.resolve("anna@example.org")
    await town.resolve("out@elsewhere.example")
    await database._pool.close()
    assert names(await town.resolve("anna@example.org"))[0] == ["anna@example.org"]
    assert await town.resolve("another@elsewhere.example") == NotLocalDomain()
    with pytest.raises(DirectoryUnavailable):
        await town.resolve("ben@example.org")


async def test_a_change_in_another_process_is_seen(town: Directory, other: Directory) -> None:
    assert await town.resolve("dora@example.org") == UnknownRecipient()
    assert await town.resolve("x@example.com") == NotLocalDomain()
    await other.create_account("dora@example.org", None)
    await other.create_domain("example.com")
    async with asyncio.timeout(10):
        while not isinstance(await town.resolve("dora@example.org"), Targets):
            await asyncio.sleep(0.01)
        while await town.resolve("x@example.com") == NotLocalDomain():
            await asyncio.sleep(0.01)


async def test_a_change_while_nobody_listened_is_seen_after_the_reconnect(
    town: Directory, dsn: str, database: Database
) -> None:
    assert isinstance(await town.resolve("anna@example.org"), Targets)
    plain = await asyncpg.connect(dsn)
    await plain.execute("UPDATE account SET suspended = true")  # no notification: as if it was lost
    await plain.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND query LIKE 'LISTEN%' AND datname = current_database()"
    )
    await plain.close()
    async with asyncio.timeout(20):
        while await town.resolve("anna@example.org") != Suspended():
            await asyncio.sleep(0.01)


async def test_a_flood_for_one_address_is_one_query(town: Directory) -> None:
    town.invalidate()
    results = await asyncio.gather(*(town.resolve("all@example.org") for _ in range(500)))
    assert len({id(result) for result in results}) == 1
