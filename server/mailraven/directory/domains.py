"""Changes of domains, inside the caller's transaction. What a spec says of status, labels, catch-all and other names
is also in columns and tables that mail and logins look at: only this module writes those.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from mailraven.db import Connection
from mailraven.directory.domain_specs import (
    CATCH_ALL,
    Document,
    StoredDomain,
    document_of,
    domain_name,
    effective,
    find_domain,
    merged,
    read_domain,
    read_template,
)
from mailraven.directory.errors import DomainExists, NotEmpty, VersionMismatch
from mailraven.directory.locks import check_version, lock_names, notify
from mailraven.directory.model import Domain
from mailraven_api.domain import DomainSpec

ANY = DomainSpec()


@dataclass(frozen=True)
class Written:
    """A domain after a change; `before` is None where it is new."""

    domain: StoredDomain
    before: StoredDomain | None = None


async def create_domain(
    connection: Connection, name: str, spec: DomainSpec = ANY, *, use_template: bool = True
) -> Domain:
    """Raises DomainExists, AddressError, InvalidValue."""
    made = (await make_domain(connection, name, spec, use_template=use_template)).domain
    return Domain(made.id, made.name, made.suspended, made.created_at)


async def make_domain(
    connection: Connection, name: str, spec: DomainSpec = ANY, *, use_template: bool = True
) -> Written:
    """Begins with the template as it is now. Raises DomainExists, AddressError, InvalidValue."""
    name = domain_name(name)
    document = document_of(spec, name=name)
    template = (await read_template(connection)).spec if use_template else {}
    holds = effective(template, document)
    await lock_names(connection, [name, *holds.aliases])
    await _check_free(connection, [name], None)
    row = await connection.fetchrow(
        "INSERT INTO domain (name, suspended, template, spec, labels) VALUES ($1, $2, $3, $4, $5)"
        " ON CONFLICT (name) DO NOTHING RETURNING id, created_at",
        name,
        holds.status == "suspended",
        json.dumps(template),
        json.dumps(document),
        json.dumps(holds.labels),
    )
    if row is None:
        raise DomainExists(f"domain {name} exists")
    await _set_aliases(connection, row["id"], holds.aliases)
    await _set_catch_all(connection, row["id"], holds.catch_all)
    await notify(connection)
    return Written(await read_domain(connection, name))


async def check_free(connection: Connection, name: str) -> None:
    """For a quick no before costly work. Raises DomainExists."""
    await _check_free(connection, [name], None)


async def put_domain(connection: Connection, name: str, spec: DomainSpec, *, expected: int | None = None) -> Written:
    """Make it, or replace its spec. Raises DomainExists (another name of a domain), AddressError, InvalidValue,
    VersionMismatch.
    """
    name = domain_name(name)
    before = await find_domain(connection, name, lock=True)
    if before is None:
        await lock_names(connection, [name])  # of two that make it at once the second finds it made
        before = await find_domain(connection, name, lock=True)
    if before is None:
        if expected is not None:
            raise VersionMismatch(f"domain {name} does not exist")
        return await make_domain(connection, name, spec)
    check_version(expected, before.version, f"domain {name}")
    return Written(await _rewrite(connection, before, document_of(spec, name=name)), before)


async def patch_domain(
    connection: Connection, name: str, change: DomainSpec, *, expected: int | None = None
) -> Written:
    """Merge into its spec. Raises NoSuchDomain, AddressError, DomainExists, InvalidValue, VersionMismatch."""
    before = await read_domain(connection, name, lock=True)
    check_version(expected, before.version, f"domain {before.name}")
    return Written(await _rewrite(connection, before, merged(before.spec, change, name=before.name)), before)


async def put_security(
    connection: Connection, name: str, security: Document, *, expected: int | None = None
) -> Written:
    """Replace the security settings in its spec by a sparse document of SecuritySettings. Raises as patch_domain."""
    before = await read_domain(connection, name, lock=True)
    check_version(expected, before.version, f"domain {before.name}")
    document = {key: value for key, value in before.spec.items() if key != "security"}
    return Written(await _rewrite(connection, before, document | ({"security": security} if security else {})), before)


async def set_domain_suspended(connection: Connection, name: str, suspended: bool) -> None:
    """A suspended domain receives nothing and nobody of it signs in. Raises NoSuchDomain."""
    await patch_domain(connection, name, DomainSpec(status="suspended" if suspended else "active"))


async def set_catch_all(connection: Connection, name: str, target: str | None) -> None:
    """None: mail to unknown addresses is refused. Raises NoSuchDomain, AddressError."""
    await patch_domain(connection, name, DomainSpec(catch_all=target))


async def delete_domain(connection: Connection, name: str, *, expected: int | None = None) -> StoredDomain:
    """With its aliases; a domain that has accounts stays. Raises NoSuchDomain, NotEmpty, VersionMismatch."""
    before = await read_domain(connection, name, lock=True)
    check_version(expected, before.version, f"domain {before.name}")
    if await connection.fetchval("SELECT EXISTS (SELECT FROM account WHERE domain_id = $1)", before.id):
        raise NotEmpty(f"domain {before.name} has accounts")
    await connection.execute("DELETE FROM domain WHERE id = $1", before.id)
    await notify(connection)
    return before


async def _rewrite(connection: Connection, before: StoredDomain, document: Document) -> StoredDomain:
    if document == before.spec:
        return before
    was, holds = before.effective, effective(before.template, document)
    if holds.aliases != was.aliases:
        await lock_names(connection, holds.aliases)
        await _set_aliases(connection, before.id, holds.aliases)
    if holds.catch_all != was.catch_all:
        await _set_catch_all(connection, before.id, holds.catch_all)
    await connection.execute(
        "UPDATE domain SET spec = $2, suspended = $3, labels = $4, version = version + 1, updated_at = now()"
        " WHERE id = $1",
        before.id,
        json.dumps(document),
        holds.status == "suspended",
        json.dumps(holds.labels),
    )
    await notify(connection)
    return await read_domain(connection, before.name)


async def _set_aliases(connection: Connection, domain_id: int, names: Sequence[str]) -> None:
    await connection.execute(
        "DELETE FROM domain_alias WHERE domain_id = $1 AND name <> ALL ($2::text[])", domain_id, list(names)
    )
    if not names:
        return
    await _check_free(connection, names, domain_id)
    await connection.execute(
        "INSERT INTO domain_alias (name, domain_id) SELECT unnest($2::text[]), $1 ON CONFLICT (name) DO NOTHING",
        domain_id,
        list(names),
    )


async def _check_free(connection: Connection, names: Sequence[str], domain_id: int | None) -> None:
    """The names are locked. Raises DomainExists."""
    row = await connection.fetchrow(
        "SELECT n.name, a.name IS NOT NULL AS other FROM unnest($1::text[]) AS n(name)"
        " LEFT JOIN domain d ON d.name = n.name"
        " LEFT JOIN domain_alias a ON a.name = n.name AND a.domain_id IS DISTINCT FROM $2"
        " WHERE d.name IS NOT NULL OR a.name IS NOT NULL ORDER BY n.name LIMIT 1",
        list(names),
        domain_id,
    )
    if row is not None:
        what = "is another name of a domain" if row["other"] else "exists"
        raise DomainExists(f"domain {row['name']} {what}")


async def _set_catch_all(connection: Connection, domain_id: int, target: str | None) -> None:
    await connection.execute("DELETE FROM alias WHERE domain_id = $1 AND localpart = $2", domain_id, CATCH_ALL)
    if target is not None:
        await connection.execute(
            "INSERT INTO alias (domain_id, localpart, target) VALUES ($1, $2, $3)", domain_id, CATCH_ALL, target
        )
