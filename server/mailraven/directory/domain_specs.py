"""What holds for a domain: the template as it was when the domain was made, overlaid by what was set for it.

Both are sparse documents of mailraven_api.domain.DomainSpec, in the columns `template` and `spec`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import structlog
from pydantic import ValidationError

from mailraven.db import Connection
from mailraven.directory.address import normalize_domain, parse_address
from mailraven.directory.errors import AddressError, InvalidValue, NoSuchDomain
from mailraven.directory.locks import check_version, notify
from mailraven_api.domain import DomainSpec
from mailraven_api.limits import DEFAULT_LIMITS, merge

DEFAULT_TEMPLATE = "_default"
CATCH_ALL = "*"
"""The localpart of the alias that gets what nobody else does."""
Document = dict[str, Any]

_log = structlog.get_logger(component="directory")
_DEFAULTS = DEFAULT_LIMITS.model_dump(mode="json")


@dataclass(frozen=True)
class StoredDomain:
    """A row of domain."""

    id: int
    name: str
    suspended: bool
    template: Document
    spec: Document
    version: int
    created_at: datetime
    updated_at: datetime

    @cached_property
    def effective(self) -> DomainSpec:
        """What holds; every field is set."""
        return effective(self.template, self.spec)


@dataclass(frozen=True)
class StoredTemplate:
    """A row of domain_template."""

    spec: Document
    version: int
    created_at: datetime
    updated_at: datetime


def effective(template: Mapping[str, Any], spec: Mapping[str, Any]) -> DomainSpec:
    """The template overlaid by the spec, limits over those of the program."""
    document = _understood(merge(dict(template), dict(spec)))
    limits = {name: value for name, value in document.get("limits", {}).items() if value is not None}
    whole = merge(DomainSpec().model_dump(mode="json"), document, {"limits": merge(_DEFAULTS, limits)})
    return DomainSpec.model_validate(whole)


def understood_spec(spec: Document) -> DomainSpec:
    """A document as it was set, sparse."""
    return DomainSpec.model_validate(_understood(spec))


def document_of(spec: DomainSpec, *, name: str) -> Document:
    """What was set, with names as they are stored. Raises AddressError, InvalidValue."""
    document = spec.model_dump(mode="json", exclude_unset=True)
    if spec.catch_all is not None:
        target = parse_address(spec.catch_all)
        if (target.key, target.domain) == (CATCH_ALL, name):
            raise InvalidValue("the catch-all points at itself")
        document["catch_all"] = str(target)
    if spec.hostname is not None:
        document["hostname"] = domain_name(spec.hostname)
    if spec.aliases:
        names = list(dict.fromkeys(domain_name(alias) for alias in spec.aliases))
        if name in names:
            raise InvalidValue(f"{name} is the domain's own name")
        document["aliases"] = sorted(names)
    return document


def merged(before: Document, change: DomainSpec, *, name: str) -> Document:
    """A document with what a change says laid over it. Raises AddressError, InvalidValue."""
    document = merge(before, document_of(change, name=name))
    try:
        return document_of(DomainSpec.model_validate(document), name=name)
    except ValidationError as error:  # each was valid, both together are not
        raise InvalidValue("; ".join(item["msg"] for item in error.errors())) from error


def domain_name(text: str) -> str:
    """The stored form of a domain of ours. Raises AddressError."""
    name = normalize_domain(text)
    if name.startswith("["):
        raise AddressError("an address literal cannot be a domain of this server")
    if name.rpartition(".")[2].isdigit():  # RFC 3696 §2: no top-level domain is a number
        raise AddressError("an IP address cannot be a domain of this server")
    return name


async def read_domain(connection: Connection, name: str, *, lock: bool = False) -> StoredDomain:
    """By its own name, in any form. Raises NoSuchDomain, AddressError."""
    stored = normalize_domain(name)
    found = await find_domain(connection, stored, lock=lock)
    if found is None:
        raise NoSuchDomain(f"no domain {stored}")
    return found


async def find_domain(connection: Connection, name: str, *, lock: bool = False) -> StoredDomain | None:
    """By its own name as it is stored."""
    row = await connection.fetchrow(_DOMAIN + (" FOR NO KEY UPDATE" if lock else ""), name)
    return None if row is None else stored_domain(row)


def stored_domain(row: Any) -> StoredDomain:
    """From a row with the columns of `domain`."""
    return StoredDomain(
        row["id"],
        row["name"],
        row["suspended"],
        json.loads(row["template"]),
        json.loads(row["spec"]),
        row["version"],
        row["created_at"],
        row["updated_at"],
    )


async def effective_domain(connection: Connection, name: str) -> DomainSpec:
    """What holds for a domain, every field set. Raises NoSuchDomain, AddressError."""
    return (await read_domain(connection, name)).effective


async def effective_domain_by_id(connection: Connection, domain_id: int) -> DomainSpec:
    """The same by id. Raises NoSuchDomain."""
    row = await connection.fetchrow("SELECT template, spec FROM domain WHERE id = $1", domain_id)
    if row is None:
        raise NoSuchDomain("the domain is gone")
    return effective(json.loads(row["template"]), json.loads(row["spec"]))


async def effective_template(connection: Connection) -> DomainSpec:
    """What a domain made now would have: whose limits count before a domain is known."""
    return effective((await read_template(connection)).spec, {})


async def read_template(connection: Connection, *, lock: bool = False) -> StoredTemplate:
    """The template `_default`."""
    row = await connection.fetchrow(_TEMPLATE + (" FOR UPDATE" if lock else ""), DEFAULT_TEMPLATE)
    if row is None:
        raise NoSuchDomain(f"no template {DEFAULT_TEMPLATE}")
    return StoredTemplate(json.loads(row["spec"]), row["version"], row["created_at"], row["updated_at"])


async def write_template(
    connection: Connection, spec: DomainSpec, *, merging: bool, expected: int | None = None
) -> tuple[StoredTemplate, StoredTemplate]:
    """Replace it or merge into it; domains that exist are not touched. Returns it before and after.

    Raises VersionMismatch, InvalidValue.
    """
    before = await read_template(connection, lock=True)
    check_version(expected, before.version, f"template {DEFAULT_TEMPLATE}")
    if spec.aliases:
        raise InvalidValue("a template has no aliases: a name belongs to one domain")
    name = DEFAULT_TEMPLATE
    document = merged(before.spec, spec, name=name) if merging else document_of(spec, name=name)
    if document == before.spec:
        return before, before
    await connection.execute(
        "UPDATE domain_template SET spec = $2, version = version + 1, updated_at = now() WHERE name = $1",
        name,
        json.dumps(document),
    )
    await notify(connection)
    return before, await read_template(connection)


def _understood(document: Document) -> Document:
    """Without what a newer version wrote: during an upgrade this one goes on with what it knows."""
    for _ in range(10):
        try:
            DomainSpec.model_validate(document)
        except ValidationError as error:
            for place in {item["loc"] for item in error.errors()}:
                _log.warning("unknown domain setting left out", setting=".".join(str(part) for part in place))
                document = _without(document, place)
        else:
            return document
    return {}


def _without(document: Document, place: tuple[int | str, ...]) -> Document:
    if not place or not isinstance(place[0], str) or place[0] not in document:
        return {}
    key, inner = place[0], document[place[0]]
    rest = {name: value for name, value in document.items() if name != key}
    if isinstance(inner, dict) and len(place) > 1:
        rest[key] = _without(inner, place[1:])
    return rest


_DOMAIN = "SELECT id, name, suspended, template, spec, version, created_at, updated_at FROM domain WHERE name = $1"
_TEMPLATE = "SELECT spec, version, created_at, updated_at FROM domain_template WHERE name = $1"
