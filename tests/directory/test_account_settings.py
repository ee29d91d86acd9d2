"""What can be set of an account, how many a domain may have, and what they get without a quota."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailraven.db import Connection, Database
from mailraven.directory import (
    AccountExists,
    AddressError,
    AliasExists,
    Directory,
    InvalidValue,
    NoSuchAccount,
    NoSuchDomain,
    TooManyAccounts,
    VersionMismatch,
    accounts,
    aliases,
    domains,
    sender_rules,
)
from mailraven.directory import account_settings as settings
from mailraven.directory.account_listing import AccountFilter, show_account, show_accounts, show_usage
from mailraven_api.account import AccountPatch, AccountSpec, Forwarding, Vacation
from mailraven_api.domain import DomainSpec


@pytest.fixture
async def connection(directory: Directory, database: Database) -> AsyncIterator[Connection]:
    """With example.org."""
    await directory.create_domain("example.org")
    async with database.acquire() as borrowed:
        yield borrowed


def spec(**fields: Any) -> AccountSpec:
    return AccountSpec.model_validate(fields)


EVERYTHING: dict[str, Any] = {
    "display_name": "Anna",
    "quota_bytes": 1000,
    "suspended": True,
    "disabled": ["receive", "imap"],
    "limits": {"messages": {"count": 5, "window": "hour"}},
    "labels": {"tier": "gold"},
    "forwarding": {"targets": ["Ben@Elsewhere.example"], "keep_copy": False},
    "vacation": {"enabled": True, "subject": "Away", "text": "Until\nMonday", "ends_at": "2026-08-01T00:00:00+02:00"},
}


async def test_everything_that_is_put_is_shown(connection: Connection) -> None:
    made = await settings.put_account(connection, "Anna@Example.org", spec(**EVERYTHING), "hash")
    assert made.before is None
    shown = (await show_account(connection, made.account.id)).model_dump(mode="json")
    assert shown["address"] == "anna@example.org"
    assert (shown["has_password"], shown["role"], shown["version"], shown["totp"]) == (True, "user", 1, False)
    assert shown["disabled"] == ["imap", "receive"]
    assert shown["limits"]["messages"] == [{"count": 5, "window_minutes": 60}]
    assert shown["forwarding"] == {"targets": ["Ben@elsewhere.example"], "keep_copy": False}
    assert shown["vacation"]["text"] == "Until\nMonday"


async def test_put_twice_changes_once_and_replaces_the_rest(connection: Connection) -> None:
    await settings.put_account(connection, "anna@example.org", spec(**EVERYTHING))
    again = await settings.put_account(connection, "anna@example.org", spec(**EVERYTHING))
    assert again.before == again.account
    less = await settings.put_account(connection, "anna@example.org", spec())
    assert (less.account.version, less.account.forwarding, less.account.disabled) == (2, None, ())
    assert less.account.quota_bytes == 1000  # it was left out
    assert (
        await settings.put_account(connection, "anna@example.org", spec(quota_bytes=None))
    ).account.quota_bytes is None


async def test_patch_changes_what_it_names(connection: Connection) -> None:
    await settings.put_account(connection, "anna@example.org", spec(**EVERYTHING))
    change = AccountPatch.model_validate({"labels": {"area": "north"}, "limits": {"recipients": []}, "vacation": None})
    after = (await settings.patch_account(connection, "anna@example.org", change, expected=1)).account
    assert after.labels == {"tier": "gold", "area": "north"}
    assert after.limits == {"messages": [{"count": 5, "window_minutes": 60}], "recipients": []}
    assert (after.vacation, after.display_name, after.version) == (None, "Anna", 2)
    with pytest.raises(VersionMismatch):
        await settings.patch_account(connection, "anna@example.org", AccountPatch(display_name="x"), expected=1)
    with pytest.raises(NoSuchAccount):
        await settings.patch_account(connection, "ben@example.org", AccountPatch(display_name="x"))


async def test_a_new_password_or_suspension_ends_sessions_and_other_changes_do_not(connection: Connection) -> None:
    made = await settings.put_account(connection, "anna@example.org", spec(), "old")

    async def version() -> int:
        found: int = await connection.fetchval("SELECT credential_version FROM account WHERE id = $1", made.account.id)
        return found

    assert await version() == 1
    await settings.patch_account(connection, "anna@example.org", AccountPatch(display_name="A"))
    assert await version() == 1
    await settings.patch_account(connection, "anna@example.org", AccountPatch(), "new")
    assert await version() == 2
    await settings.patch_account(connection, "anna@example.org", AccountPatch(suspended=True))
    assert await version() == 3
    await accounts.set_role(connection, "anna@example.org", "super-admin")
    await accounts.set_suspended(connection, "anna@example.org", False)
    await accounts.set_password_hash(connection, "anna@example.org", None)
    assert await version() == 6
    assert (await settings.read_account(connection, "anna@example.org")).version == 7


@pytest.mark.parametrize(
    "fields",
    [
        {"display_name": "a\0b"},
        {"display_name": "a\r\nb"},
        {"forwarding": {"targets": ["no address"]}},
        {"forwarding": {"targets": ["anna+tag@EXAMPLE.org"]}},
        {"vacation": {"subject": "a\r\nBcc: everybody@example.org"}},
        {"vacation": {"text": "a\0b"}},
    ],
)
async def test_what_cannot_be_set_changes_nothing(connection: Connection, fields: dict[str, Any]) -> None:
    with pytest.raises((AddressError, InvalidValue)):
        async with connection.transaction():
            await settings.put_account(connection, "anna@example.org", spec(**fields))
    assert await show_accounts(connection, AccountFilter()) == []


@pytest.mark.parametrize("address", ["*@example.org", "anna+x@example.org", "anna", "a b@example.org"])
async def test_an_address_that_no_account_can_have(connection: Connection, address: str) -> None:
    with pytest.raises(AddressError):
        await settings.put_account(connection, address, spec())


async def test_put_finds_who_has_the_address_already(connection: Connection) -> None:
    await aliases.create_alias(connection, "info@example.org", ["x@elsewhere.example"])
    with pytest.raises(AliasExists):
        await settings.put_account(connection, "info@example.org", spec())
    with pytest.raises(NoSuchDomain):
        await settings.put_account(connection, "info@elsewhere.example", spec())
    with pytest.raises(VersionMismatch):
        await settings.put_account(connection, "anna@example.org", spec(), expected=1)
    await settings.put_account(connection, "anna@example.org", spec())
    with pytest.raises(AccountExists):
        await settings.make_account(connection, "anna@example.org", spec())


async def test_a_domain_has_no_more_accounts_than_it_may(directory: Directory, other: Directory) -> None:
    async with directory._database.acquire() as connection:
        await domains.put_domain(connection, "few.example", DomainSpec(max_users=3))
    attempts = [some.create_account(f"u{n}@few.example", None) for some in (directory, other) for n in range(5)]
    results = await asyncio.gather(*attempts, return_exceptions=True)
    assert {type(one) for one in results if isinstance(one, BaseException)} <= {AccountExists, TooManyAccounts}
    assert len(await directory.list_accounts("few.example")) == 3
    assert any(isinstance(result, TooManyAccounts) for result in results)
    async with directory._database.acquire() as connection:
        await settings.put_account(connection, (await directory.list_accounts("few.example"))[0].address, spec())


async def test_an_account_without_a_quota_gets_the_default_of_its_domain(connection: Connection) -> None:
    await domains.patch_domain(connection, "example.org", DomainSpec(default_quota_bytes=2**31))
    left_out = await settings.put_account(connection, "anna@example.org", spec())
    none = await settings.put_account(connection, "ben@example.org", spec(quota_bytes=None))
    own = await settings.put_account(connection, "carla@example.org", spec(quota_bytes=7))
    assert [one.account.quota_bytes for one in (left_out, none, own)] == [2**31, None, 7]
    assert (await accounts.create_account(connection, "dora@example.org", None)).quota_bytes == 2**31


async def test_many_that_put_the_same_account_at_once_all_succeed(directory: Directory, other: Directory) -> None:
    await directory.create_domain("example.org")

    async def put(some: Directory) -> bool:
        async with some._database.transaction() as connection:
            return (await settings.put_account(connection, "anna@example.org", spec(labels={"a": "b"}))).before is None

    made = await asyncio.gather(*(put(some) for some in (directory, other) for _ in range(5)))
    assert sum(made) == 1


async def test_a_list_can_be_searched_and_read_in_pages(connection: Connection) -> None:
    await domains.put_domain(connection, "b.example", DomainSpec())
    for address in ("anna@example.org", "ben@example.org", "anna@b.example", "zoe@b.example"):
        await settings.put_account(connection, address, spec(display_name=address.title()))
    await accounts.set_role(connection, "ben@example.org", "domain-admin")
    await accounts.set_suspended(connection, "zoe@b.example", True)

    async def found(after: str = "", limit: int = 100, **wanted: Any) -> list[str]:
        shown = await show_accounts(connection, AccountFilter(**wanted), after=after, limit=limit)
        return [account.address for account in shown]

    everybody = await found()
    assert everybody == ["anna@b.example", "zoe@b.example", "anna@example.org", "ben@example.org"]
    assert await found(limit=3) == everybody[:3]
    assert await found(after=everybody[1]) == everybody[2:]
    assert await found(domain="b.example") == everybody[:2]
    assert await found(query="ANNA") == ["anna@b.example", "anna@example.org"]
    assert await found(query="_nna") == []
    assert await found(role="domain-admin") == ["ben@example.org"]
    assert await found(suspended=True) == ["zoe@b.example"]
    assert await found(domain_ids=[]) == []


async def test_usage_counts_octets_and_messages(connection: Connection) -> None:
    made = await settings.put_account(connection, "anna@example.org", spec(quota_bytes=100))
    await connection.execute("UPDATE mailbox SET bytes = 7, messages = 2, unseen = 1 WHERE name IN ('INBOX', 'Sent')")
    usage = await show_usage(connection, made.account.id)
    assert (usage.used_bytes, usage.quota_bytes, usage.messages, len(usage.mailboxes)) == (14, 100, 4, 6)
    with pytest.raises(NoSuchAccount):
        await show_usage(connection, made.account.id + 1)


async def test_forwarding_and_vacation_by_themselves(connection: Connection) -> None:
    await settings.put_account(connection, "anna@example.org", spec(display_name="Anna"))
    forwarding = Forwarding(targets=("ben@example.org", "BEN@example.org", "x@elsewhere.example"))
    after = await settings.set_forwarding(connection, "anna@example.org", forwarding)
    assert after.account.forwarding is not None
    assert after.account.display_name == "Anna"
    await settings.set_vacation(connection, "anna@example.org", Vacation(enabled=True))
    gone = await settings.set_forwarding(connection, "anna@example.org", None)
    assert gone.account.forwarding is None
    assert gone.account.vacation is not None


async def test_with_the_account_its_rules_about_senders_go(connection: Connection) -> None:
    made = (await settings.put_account(connection, "anna@example.org", spec())).account
    await sender_rules.put_rule(connection, made.domain_id, made.id, "spam.example", "block")
    await sender_rules.put_rule(connection, made.domain_id, sender_rules.WHOLE_DOMAIN, "spam.example", "allow")
    await accounts.delete_account(connection, "anna@example.org")
    assert await connection.fetchval("SELECT array_agg(account_id) FROM sender_rule") == [0]
