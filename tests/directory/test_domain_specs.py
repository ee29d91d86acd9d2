"""What holds for a domain: template, spec, and what follows from them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailraven.db import Connection, Database
from mailraven.directory import (
    AddressError,
    Directory,
    DomainExists,
    InvalidValue,
    NoSuchDomain,
    NotLocalDomain,
    Suspended,
    Targets,
    VersionMismatch,
    domain_specs,
    domains,
)
from mailraven.directory.domain_listing import DomainFilter, show_domain, show_domains, show_template
from mailraven_api.domain import DomainSpec
from mailraven_api.limits import DEFAULT_LIMITS


@pytest.fixture
async def connection(database: Database) -> AsyncIterator[Connection]:
    """Each statement commits at once."""
    async with database.acquire() as borrowed:
        yield borrowed


def spec(**fields: Any) -> DomainSpec:
    return DomainSpec.model_validate(fields)


async def set_template(connection: Connection, **fields: Any) -> None:
    await domain_specs.write_template(connection, spec(**fields), merging=False)


async def test_a_domain_keeps_the_template_of_its_first_day(connection: Connection) -> None:
    await set_template(connection, max_users=5, security={"spam": {"reject_score": 9}})
    await domains.put_domain(connection, "old.example", spec())
    await set_template(connection, max_users=7, security={"greylist": {"enabled": True}})
    await domains.put_domain(connection, "new.example", spec())
    old = await domain_specs.effective_domain(connection, "old.example")
    new = await domain_specs.effective_domain(connection, "NEW.example.")
    assert (old.max_users, old.security.spam.reject_score, old.security.greylist.enabled) == (5, 9, False)
    assert (new.max_users, new.security.spam.reject_score, new.security.greylist.enabled) == (7, 15, True)
    # A later PUT is laid over the same old template.
    await domains.put_domain(connection, "old.example", spec(default_quota=10))
    assert (await domain_specs.effective_domain(connection, "old.example")).max_users == 5


async def test_a_domain_can_do_without_the_template(connection: Connection) -> None:
    await set_template(connection, max_users=5)
    made = await domains.make_domain(connection, "a.example", spec(), use_template=False)
    assert made.domain.effective.max_users is None


async def test_the_own_spec_wins_piece_by_piece_and_limits_lie_over_the_defaults(connection: Connection) -> None:
    await set_template(
        connection,
        security={"spam": {"reject_score": 9, "quarantine_score": 3}},
        limits={"messages_per_domain": {"count": 3, "window": "hour"}, "messages_per_account": []},
    )
    own = spec(
        security={"spam": {"reject_score": 4}}, limits={"messages_per_domain": [], "recipients_per_account": None}
    )
    made = await domains.put_domain(connection, "a.example", own)
    holds = made.domain.effective
    assert (holds.security.spam.reject_score, holds.security.spam.quarantine_score) == (4, 3)
    assert holds.limits.messages_per_domain == ()
    assert holds.limits.messages_per_account == ()
    assert holds.limits.recipients_per_account == DEFAULT_LIMITS.recipients_per_account
    assert holds.limits.auth_failures_per_ip == DEFAULT_LIMITS.auth_failures_per_ip
    assert (await domain_specs.effective_template(connection)).limits.messages_per_account == ()


async def test_put_twice_changes_once(connection: Connection) -> None:
    document = {
        "max_users": 3,
        "labels": {"tier": "gold"},
        "aliases": ["B.example"],
        "catch_all": "x@elsewhere.example",
    }
    first = await domains.put_domain(connection, "a.example", spec(**document))
    second = await domains.put_domain(connection, "a.example", spec(**document))
    assert first.before is None
    assert second.before is not None
    assert (first.domain.version, second.domain.version) == (1, 1)
    third = await domains.put_domain(connection, "a.example", spec(max_users=4))
    assert (third.domain.version, third.domain.effective.labels, third.domain.effective.aliases) == (2, {}, ())


async def test_patch_merges_and_put_replaces(connection: Connection) -> None:
    await domains.put_domain(connection, "a.example", spec(max_users=3, spam_reject_score=4))
    patched = await domains.patch_domain(connection, "a.example", spec(dkim_key_size=4096, max_users=None))
    assert patched.domain.spec == {
        "max_users": None,
        "security": {"spam": {"reject_score": 4.0}, "dkim": {"key_size": 4096}},
    }
    replaced = await domains.put_security(connection, "a.example", {"auth": {"totp_enforced": True}})
    assert replaced.domain.spec == {"max_users": None, "security": {"auth": {"totp_enforced": True}}}


async def test_who_read_an_older_version_changes_nothing(connection: Connection) -> None:
    await domains.put_domain(connection, "a.example", spec(max_users=3))
    await domains.put_domain(connection, "a.example", spec(max_users=4), expected=1)
    for attempt in (
        domains.put_domain(connection, "a.example", spec(max_users=5), expected=1),
        domains.patch_domain(connection, "a.example", spec(max_users=5), expected=1),
        domains.delete_domain(connection, "a.example", expected=1),
        domains.put_domain(connection, "new.example", spec(), expected=1),
        domain_specs.write_template(connection, spec(max_users=5), merging=True, expected=99),
    ):
        with pytest.raises(VersionMismatch):
            await attempt
    assert (await domain_specs.effective_domain(connection, "a.example")).max_users == 4


async def test_status_labels_and_catch_all_follow_the_spec(directory: Directory, connection: Connection) -> None:
    await directory.create_domain("a.example")
    await directory.create_account("anna@a.example", None)
    await domains.patch_domain(connection, "a.example", spec(catch_all="Anna@A.example", labels={"tier": "gold"}))
    directory.invalidate()
    assert isinstance(await directory.resolve("nobody@a.example"), Targets)
    assert await connection.fetchval("SELECT labels->>'tier' FROM domain") == "gold"
    # Through the alias and the switch of old, the spec tells the same.
    await directory.delete_alias("*@a.example")
    await directory.set_domain_suspended("a.example", True)
    stored = await domain_specs.read_domain(connection, "a.example")
    assert (stored.effective.catch_all, stored.effective.status, stored.suspended) == (None, "suspended", True)
    assert await directory.resolve("anna@a.example") == Suspended()
    await directory.create_alias("*@a.example", ["x@elsewhere.example"])
    await domains.patch_domain(connection, "a.example", spec(status="active"))
    directory.invalidate()
    found = await directory.resolve("nobody@a.example")
    assert isinstance(found, Targets)
    assert found.remote == ("x@elsewhere.example",)
    assert (await domain_specs.effective_domain(connection, "a.example")).catch_all == "x@elsewhere.example"


async def test_the_catch_all_of_the_template_comes_with_the_domain(connection: Connection) -> None:
    await set_template(connection, catch_all="admin@corp.example", status="suspended", labels={"a": "b"})
    made = await domains.put_domain(connection, "a.example", spec(labels={"c": "d"}))
    assert made.domain.suspended
    assert made.domain.effective.labels == {"a": "b", "c": "d"}
    assert await connection.fetchval("SELECT target FROM alias WHERE localpart = '*'") == "admin@corp.example"
    await domains.patch_domain(connection, "a.example", spec(catch_all=None))
    assert await connection.fetchval("SELECT count(*) FROM alias") == 0


async def test_mail_for_another_name_of_the_domain(directory: Directory, connection: Connection) -> None:
    await directory.create_domain("müller.example")
    await directory.create_account("anna@müller.example", "correct horse")
    await directory.create_alias("info@müller.example", ["anna@mueller.example"])
    assert await directory.resolve("anna@mueller.example") == NotLocalDomain()
    await domains.patch_domain(connection, "müller.example", spec(aliases=["Mueller.example", "bücher.example"]))
    async with asyncio.timeout(10):
        while not await directory.is_local_domain("mueller.example"):
            await asyncio.sleep(0.01)
    own = await directory.resolve("anna@müller.example")
    for address in ("Anna+x@mueller.example", "info@BÜCHER.example", "postmaster@mueller.example"):
        found = await directory.resolve(address)
        assert isinstance(found, Targets)
        assert isinstance(own, Targets)
        assert found.accounts == own.accounts, address
    assert own.accounts[0].address == "anna@xn--mller-kva.example"
    assert await directory.may_send_as(own.accounts[0].account_id, "anna@bücher.example")
    assert not await directory.may_send_as(own.accounts[0].account_id, "ben@bücher.example")
    identity = await directory.authenticate("anna@mueller.example", "correct horse", protocol="imap")
    assert identity is not None
    assert identity.address == "anna@xn--mller-kva.example"
    await domains.put_domain(connection, "müller.example", spec())
    directory.invalidate()
    assert await directory.resolve("anna@mueller.example") == NotLocalDomain()


async def test_a_name_is_a_domain_or_another_name_of_one(connection: Connection) -> None:
    await domains.put_domain(connection, "a.example", spec(aliases=["b.example"]))
    await domains.put_domain(connection, "c.example", spec())
    for attempt in (
        domains.make_domain(connection, "b.example"),
        domains.put_domain(connection, "b.example", spec()),
        domains.make_domain(connection, "d.example", spec(aliases=["b.example"])),
        domains.make_domain(connection, "d.example", spec(aliases=["a.example"])),
        domains.patch_domain(connection, "c.example", spec(aliases=["a.example"])),
        domains.patch_domain(connection, "c.example", spec(aliases=["b.example"])),
    ):
        with pytest.raises(DomainExists):
            async with connection.transaction():
                await attempt
    with pytest.raises(InvalidValue):
        await domains.patch_domain(connection, "c.example", spec(aliases=["C.EXAMPLE."]))
    with pytest.raises(NoSuchDomain):
        await domains.patch_domain(connection, "b.example", spec(max_users=1))
    await domains.delete_domain(connection, "a.example")
    await domains.make_domain(connection, "b.example")
    assert [domain.name for domain in await show_domains(connection, DomainFilter())] == ["b.example", "c.example"]


async def test_of_many_that_want_a_name_one_gets_it(directory: Directory, other: Directory) -> None:
    for name in ("x.example", "y.example"):
        await directory.create_domain(name)

    async def take(some: Directory, number: int) -> None:
        async with some._database.transaction() as connection:
            if number % 2:
                await domains.make_domain(connection, "wanted.example")
            else:
                name = ("x.example", "y.example")[number // 2 % 2]
                await domains.patch_domain(connection, name, spec(aliases=["wanted.example"]))

    results = await asyncio.gather(
        *(take(some, number) for some in (directory, other) for number in range(6)), return_exceptions=True
    )
    assert {type(one) for one in results if isinstance(one, BaseException)} == {DomainExists}
    async with directory._database.acquire() as connection:
        held = await connection.fetchval(
            "SELECT (SELECT count(*) FROM domain WHERE name = 'wanted.example')"
            " + (SELECT count(*) FROM domain_alias WHERE name = 'wanted.example')"
        )
    assert held == 1


async def test_many_that_put_the_same_domain_at_once_all_succeed(directory: Directory, other: Directory) -> None:
    async def put(some: Directory) -> bool:
        async with some._database.transaction() as connection:
            return (await domains.put_domain(connection, "a.example", spec(max_users=3))).before is None

    made = await asyncio.gather(*(put(some) for some in (directory, other) for _ in range(5)))
    assert sum(made) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"aliases": ["no domain"]},
        {"aliases": ["[192.0.2.1]"]},
        {"catch_all": "no address"},
        {"catch_all": "*@a.example"},
    ],
)
async def test_a_spec_that_cannot_be_is_refused_whole(connection: Connection, fields: dict[str, Any]) -> None:
    with pytest.raises((AddressError, InvalidValue)):
        await domains.put_domain(connection, "a.example", spec(**fields))
    with pytest.raises((AddressError, InvalidValue)):
        await domain_specs.write_template(connection, spec(aliases=["a.example"], **fields), merging=True) if (
            "aliases" not in fields
        ) else await domain_specs.write_template(connection, spec(**fields), merging=True)
    assert await show_domains(connection, DomainFilter()) == []
    assert (await domain_specs.read_template(connection)).version == 1


async def test_a_spec_given_back_as_it_was_shown_changes_nothing(connection: Connection) -> None:
    await set_template(connection, max_users=9)
    made = await domains.put_domain(connection, "a.example", spec(spam_reject_score=3))
    shown = await show_domain(connection, made.domain.id)
    again = shown.model_dump(mode="json")["spec"]
    assert again == {"security": {"spam": {"reject_score": 3.0}}}
    assert (await domains.put_domain(connection, "a.example", spec(**again))).domain.version == 1
    assert shown.max_users == 9
    assert shown.limits == DEFAULT_LIMITS


async def test_what_a_newer_version_wrote_is_left_out(connection: Connection) -> None:
    await domains.put_domain(connection, "a.example", spec(max_users=9))
    await connection.execute(
        "UPDATE domain SET spec = spec || $1::jsonb",
        '{"orbit": 1, "security": {"warp": {"on": true}, "dkim": {"key_size": 5}}}',
    )
    holds = await domain_specs.effective_domain(connection, "a.example")
    assert (holds.max_users, holds.security.dkim.key_size) == (9, 2048)
    assert (await show_domains(connection, DomainFilter()))[0].spec.max_users == 9


async def test_a_list_can_be_searched(connection: Connection) -> None:
    for name, status in (("alpha.example", "active"), ("beta.example", "suspended"), ("alps.test", "suspended")):
        await domains.put_domain(connection, name, spec(status=status))

    async def names(**wanted: Any) -> list[str]:
        return [domain.name for domain in await show_domains(connection, DomainFilter(**wanted))]

    assert await names(query="AL") == ["alpha.example", "alps.test"]
    assert await names(query="%") == []
    assert await names(status="suspended") == ["alps.test", "beta.example"]
    assert await names(ids=[]) == []
    beta = await domain_specs.read_domain(connection, "beta.example")
    assert await names(ids=[beta.id]) == ["beta.example"]


async def test_a_domain_shows_its_accounts_and_the_key_that_signs(directory: Directory, connection: Connection) -> None:
    domain = await directory.create_domain("a.example")
    await directory.create_account("anna@a.example", None)
    await connection.execute("UPDATE mailbox SET bytes = 5")
    await connection.executemany(
        "INSERT INTO dkim_key (domain_id, selector, algorithm, key_size, private_sealed, public_key, state)"
        " VALUES ($1, $2, $3, 256, '', $4, $5)",
        [
            (domain.id, "e", "ed25519", "edwards", "active"),
            (domain.id, "r", "rsa", "rivest", "active"),
            (domain.id, "p", "rsa", "pending", "pending"),
        ],
    )
    shown = await show_domain(connection, domain.id)
    assert (shown.users, shown.used_bytes, shown.dkim_selector, shown.dkim_public_key) == (1, 30, "r", "rivest")
    assert (await show_template(connection)).name == "_default"
