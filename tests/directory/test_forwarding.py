"""Where mail of accounts goes that forward, that do not receive, and that do not want some senders."""

from typing import Any

import pytest

from mailraven.db import Database
from mailraven.directory import (
    Blocked,
    Directory,
    Resolution,
    Route,
    Suspended,
    Targets,
    domains,
    parse_address,
    resolution,
    sender_rules,
)
from mailraven.directory.account_settings import patch_account, read_account
from mailraven_api.account import AccountPatch
from mailraven_api.domain import DomainSpec


@pytest.fixture
async def town(directory: Directory) -> Directory:
    """example.org with anna, ben, carla and an alias of anna and ben."""
    await directory.create_domain("example.org")
    for name in ("anna", "ben", "carla"):
        await directory.create_account(f"{name}@example.org", None)
    await directory.create_alias("both@example.org", ["anna@example.org", "ben@example.org"])
    return directory


async def change(town: Directory, name: str, **fields: Any) -> int:
    async with town._database.transaction() as connection:
        written = await patch_account(connection, f"{name}@example.org", AccountPatch.model_validate(fields))
    town.invalidate()
    return written.account.id


async def forward(town: Directory, name: str, *targets: str, keep_copy: bool = True) -> int:
    return await change(town, name, forwarding={"targets": targets, "keep_copy": keep_copy})


async def rule(town: Directory, name: str | None, sender: str, action: sender_rules.Action) -> None:
    async with town._database.transaction() as connection:
        account = await read_account(connection, f"{name or 'anna'}@example.org")
        whose = sender_rules.WHOLE_DOMAIN if name is None else account.id
        await sender_rules.put_rule(connection, account.domain_id, whose, sender, action)
    town.invalidate()


def names(resolution: Resolution) -> tuple[list[str], list[str]]:
    assert isinstance(resolution, Targets), resolution
    return sorted(a.address.partition("@")[0] for a in resolution.accounts), sorted(resolution.remote)


async def test_mail_goes_to_the_targets_and_a_copy_stays_where_it_is_wanted(town: Directory) -> None:
    await forward(town, "anna", "ben@example.org", "Out@elsewhere.example")
    assert names(await town.resolve("anna@example.org")) == (["anna", "ben"], ["Out@elsewhere.example"])
    await forward(town, "anna", "ben@example.org", "Out@elsewhere.example", keep_copy=False)
    assert names(await town.resolve("Anna+x@example.org")) == (["ben"], ["Out@elsewhere.example"])
    found = await town.resolve("both@example.org")
    assert names(found) == (["ben"], ["Out@elsewhere.example"])
    await change(town, "anna", forwarding=None)
    assert names(await town.resolve("anna@example.org")) == (["anna"], [])


async def test_forwarding_in_a_circle_ends_and_loses_nothing(town: Directory) -> None:
    await forward(town, "anna", "ben@example.org", keep_copy=False)
    await forward(town, "ben", "carla@example.org", keep_copy=False)
    await forward(town, "carla", "both@example.org", keep_copy=False)
    assert names(await town.resolve("anna@example.org")) == (["anna", "ben", "carla"], [])
    await forward(town, "carla", "both@example.org", keep_copy=True)
    assert names(await town.resolve("anna@example.org")) == (["carla"], [])


async def test_forwarding_that_leads_nowhere_keeps_the_mail(town: Directory) -> None:
    await forward(town, "anna", "ben@example.org", "nobody@example.org", keep_copy=False)
    await town.set_suspended("ben@example.org", True)
    assert names(await town.resolve("anna@example.org")) == (["anna"], [])


async def test_whose_address_it_is_does_not_change_by_forwarding(town: Directory) -> None:
    anna = await forward(town, "anna", "ben@example.org", keep_copy=False)
    ben = await change(town, "ben", disabled=["receive"])
    assert await town.may_send_as(anna, "anna@example.org")
    assert await town.may_send_as(anna, "both@example.org")
    assert not await town.may_send_as(ben, "anna@example.org")
    assert await town.may_send_as(ben, "ben@example.org")  # it only does not receive
    assert await town.may_send_as(ben, "both@example.org")
    await town.set_suspended("ben@example.org", True)
    assert not await town.may_send_as(ben, "ben@example.org")


async def test_an_account_that_does_not_receive_is_refused_like_a_suspended_one(town: Directory) -> None:
    ben = await change(town, "ben", disabled=["receive", "imap"])
    assert await town.resolve("ben@example.org") == Suspended((ben,))
    assert names(await town.resolve("both@example.org")) == (["anna"], [])
    await change(town, "ben", disabled=["imap", "smtp", "http"])
    assert names(await town.resolve("ben@example.org")) == (["ben"], [])


async def test_postmaster_is_somebody_who_receives(town: Directory) -> None:
    await change(town, "anna", disabled=["receive"])
    assert names(await town.resolve("postmaster@example.org")) == (["ben"], [])
    await forward(town, "ben", "out@elsewhere.example", keep_copy=False)
    found = await town.resolve("postmaster@example.org")
    assert names(found) == ([], ["out@elsewhere.example"])
    assert isinstance(found, Targets)
    assert found.route is Route.POSTMASTER


async def test_a_blocked_sender_is_refused_by_address_and_by_domain(town: Directory) -> None:
    await rule(town, "anna", "Bad@Spam.example", "block")
    await rule(town, "anna", "@evil.example", "block")
    blocked = ("bad@spam.example", "BAD+tag@spam.EXAMPLE", "x@evil.example", "x@deep.sub.evil.example")
    for sender in blocked:
        assert await town.resolve_from(sender, "anna@example.org") == Blocked(), sender
    for sender in ("", "good@spam.example", "x@notevil.example", "not an address"):
        assert names(await town.resolve_from(sender, "anna@example.org")) == (["anna"], []), sender
    assert names(await town.resolve_from("bad@spam.example", "ben@example.org")) == (["ben"], [])
    # The others of an alias get it.
    assert names(await town.resolve_from("bad@spam.example", "both@example.org")) == (["ben"], [])


async def test_the_more_specific_rule_counts(town: Directory) -> None:
    await rule(town, None, "evil.example", "block")
    await rule(town, None, "nice.evil.example", "allow")
    await rule(town, "anna", "friend@evil.example", "allow")
    await rule(town, "ben", "x@nice.evil.example", "block")
    expected = {
        ("x@evil.example", "anna"): False,
        ("friend@evil.example", "anna"): True,
        ("friend@evil.example", "ben"): False,
        ("x@nice.evil.example", "anna"): True,
        ("x@nice.evil.example", "ben"): False,
        ("x@evil.example", "carla"): False,
    }
    for (sender, name), passes in expected.items():
        found = await town.resolve_from(sender, f"{name}@example.org")
        assert (found != Blocked()) == passes, (sender, name)


async def test_a_block_stops_forwarding_too_and_postmaster_takes_everything(town: Directory) -> None:
    await forward(town, "anna", "out@elsewhere.example", "ben@example.org", keep_copy=False)
    await rule(town, "anna", "evil.example", "block")
    assert await town.resolve_from("x@evil.example", "anna@example.org") == Blocked()
    assert names(await town.resolve_from("x@evil.example", "both@example.org")) == (["ben"], [])
    await rule(town, None, "evil.example", "block")
    assert names(await town.resolve_from("x@evil.example", "postmaster@example.org"))[1] == ["out@elsewhere.example"]
    await town.create_alias("postmaster@example.org", ["ben@example.org"])
    assert names(await town.resolve_from("x@evil.example", "Postmaster@example.org")) == (["ben"], [])


async def test_an_account_without_rules_costs_no_query_more(town: Directory, database: Database) -> None:
    await rule(town, "ben", "evil.example", "block")
    await town.resolve("anna@example.org")
    await town.resolve_from("x@evil.example", "ben@example.org")
    await database._pool.close()
    assert names(await town.resolve_from("anybody@elsewhere.example", "anna@example.org")) == (["anna"], [])


async def test_an_account_is_found_with_one_query_and_each_level_of_targets_costs_one(
    town: Directory, database: Database
) -> None:
    await forward(town, "anna", "ben@example.org", "carla@example.org")
    async with database.acquire() as connection:

        class Counting:
            statements = 0

            async def fetch(self, *arguments: Any) -> Any:
                self.statements += 1
                return await connection.fetch(*arguments)

        for address, expected in (("ben@example.org", 1), ("anna@example.org", 2), ("both@example.org", 3)):
            counting = Counting()
            await resolution.resolve(counting, parse_address(address))
            assert counting.statements == expected, address


async def test_rules_hold_under_another_name_of_the_domain(town: Directory) -> None:
    async with town._database.transaction() as connection:
        await domains.patch_domain(connection, "example.org", DomainSpec(aliases=("example.net",)))
    await rule(town, "anna", "evil.example", "block")
    assert await town.resolve_from("x@evil.example", "anna@example.net") == Blocked()
    assert names(await town.resolve_from("x@evil.example", "both@example.net")) == (["ben"], [])


async def test_rules_are_listed_changed_and_removed(town: Directory, database: Database) -> None:
    async with database.acquire() as connection:
        account = await read_account(connection, "anna@example.org")
        key = (account.domain_id, account.id)
        for number in range(5):
            await sender_rules.put_rule(connection, *key, f"s{number}.example", "block")
        now, before = await sender_rules.put_rule(connection, *key, "S0.example.", "allow")
        assert before is not None
        assert (before.action, now.action, now.sender) == ("block", "allow", "s0.example")
        first = await sender_rules.list_rules(connection, *key, limit=3)
        rest = await sender_rules.list_rules(connection, *key, after=first[-1].sender)
        assert [one.sender for one in first + rest] == [f"s{number}.example" for number in range(5)]
        await sender_rules.delete_rule(connection, *key, "s0.example")
        with pytest.raises(sender_rules.NoSuchSenderRule):
            await sender_rules.delete_rule(connection, *key, "s0.example")
        for bad in ("", "@", "a b.example", "<script>", "[192.0.2.1]", "x\0.example", "a@b@"):
            with pytest.raises(sender_rules.AddressError):
                await sender_rules.put_rule(connection, *key, bad, "block")


async def test_there_is_a_bound_of_rules(town: Directory, database: Database) -> None:
    async with database.acquire() as connection:
        account = await read_account(connection, "anna@example.org")
        await connection.execute(
            "INSERT INTO sender_rule SELECT $1, $2, 's' || n || '.example', 'block' FROM generate_series(1, $3::int) n",
            account.domain_id,
            account.id,
            sender_rules.MAX_RULES,
        )
        with pytest.raises(sender_rules.InvalidValue):
            await sender_rules.put_rule(connection, account.domain_id, account.id, "one.more.example", "block")
        await sender_rules.put_rule(connection, account.domain_id, account.id, "s1.example", "allow")
