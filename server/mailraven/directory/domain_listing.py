"""Domains as the API shows them: with what holds for them, their accounts and the key that signs. In pages by name."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from mailraven.db import Connection
from mailraven.directory.domain_specs import (
    DEFAULT_TEMPLATE,
    StoredDomain,
    StoredTemplate,
    effective,
    read_template,
    stored_domain,
    understood_spec,
)
from mailraven.directory.errors import NoSuchDomain
from mailraven_api.domain import Domain, DomainSpec

_SELECT = """
SELECT d.id, d.name, d.suspended, d.template, d.spec, d.version, d.created_at, d.updated_at,
       (SELECT count(*) FROM account c WHERE c.domain_id = d.id) AS users,
       (SELECT coalesce(sum(m.bytes), 0)::bigint FROM account c JOIN mailbox m ON m.account_id = c.id
         WHERE c.domain_id = d.id) AS used_bytes,
       k.selector, k.public_key
  FROM domain d
  LEFT JOIN LATERAL (
        SELECT selector, public_key FROM dkim_key
         WHERE domain_id = d.id AND state = 'active' ORDER BY algorithm = 'rsa' DESC LIMIT 1
       ) k ON true
"""


@dataclass(frozen=True, slots=True)
class DomainFilter:
    """What a list is to show. `ids`: only these; None: all."""

    query: str = ""
    status: str | None = None
    ids: Collection[int] | None = None


async def show_domain(connection: Connection, domain_id: int) -> Domain:
    """Raises NoSuchDomain."""
    row = await connection.fetchrow(f"{_SELECT} WHERE d.id = $1", domain_id)
    if row is None:
        raise NoSuchDomain("the domain is gone")
    return _domain(row)


async def show_domains(
    connection: Connection, wanted: DomainFilter, *, after: str = "", limit: int = 100
) -> list[Domain]:
    """By name; `after` is the last one of the page before."""
    rows = await connection.fetch(
        f"{_SELECT} WHERE d.name > $1 AND strpos(d.name, $2) > 0 AND ($3::boolean IS NULL OR d.suspended = $3)"
        " AND ($4::bigint[] IS NULL OR d.id = ANY ($4)) ORDER BY d.name LIMIT $5",
        after,
        wanted.query.lower(),
        None if wanted.status is None else wanted.status == "suspended",
        None if wanted.ids is None else list(wanted.ids),
        limit,
    )
    return [_domain(row) for row in rows]


async def show_template(connection: Connection) -> Domain:
    """The template `_default` in the form of a domain."""
    return template_as_domain(await read_template(connection))


def template_as_domain(template: StoredTemplate) -> Domain:
    """Without accounts and keys."""
    stored = StoredDomain(
        0, DEFAULT_TEMPLATE, False, {}, template.spec, template.version, template.created_at, template.updated_at
    )
    return _shown(stored, effective({}, template.spec), users=0, used_bytes=0, selector=None, public_key=None)


def _domain(row: Any) -> Domain:
    stored = stored_domain(row)
    return _shown(
        stored,
        stored.effective,
        users=row["users"],
        used_bytes=row["used_bytes"],
        selector=row["selector"],
        public_key=row["public_key"],
    )


def _shown(
    stored: StoredDomain,
    holds: DomainSpec,
    *,
    users: int,
    used_bytes: int,
    selector: str | None,
    public_key: str | None,
) -> Domain:
    return Domain(
        name=stored.name,
        spec=understood_spec(stored.spec),
        **{name: getattr(holds, name) for name in DomainSpec.model_fields},
        users=users,
        used_bytes=used_bytes,
        dkim_selector=selector,
        dkim_public_key=public_key,
        version=stored.version,
        created_at=stored.created_at,
        updated_at=stored.updated_at,
    )
