"""Who a name belongs to. Pure.

Among resources: to the oldest MailDomain that claims it, by name or alias. On the server: to the namespace whose
MailDomain made or adopted the domain; a label of the domain says which. A domain that is kept on the server
(reclaimPolicy Retain) is found again from that namespace, and from no other: its mail is in there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mailraven_api.kubernetes import MailDomain
from mailraven_operator.world import Key, World

NAMESPACE_LABEL = "mailraven.io/namespace"
"""Of a domain on the server."""
_LATEST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Owner:
    """Who has a name: the oldest resource that claims it."""

    key: Key
    resource: MailDomain | None
    """None: it does not fit its model, and keeps its claims all the same."""


OwnerOf = Callable[[str], Owner | None]


@dataclass(frozen=True)
class Conflict:
    """A name of the resource that belongs to another one."""

    name: str
    owner: Key


def owners_of(world: World) -> OwnerOf:
    """As the cluster is now."""

    def owner_of(name: str) -> Owner | None:
        key = world.domain_owner_key(name)
        return None if key is None else Owner(key, world.domains.get(key))

    return owner_of


def claimed_names(resource: MailDomain) -> tuple[str, ...]:
    """The domain, then its other names."""
    return tuple(dict.fromkeys((resource.domain, *resource.spec.aliases)))


def is_older(one: MailDomain, other: MailDomain) -> bool:
    """Whether `one` was there first."""
    return _age(one) < _age(other)


def _age(resource: MailDomain) -> tuple[datetime, str]:
    return resource.metadata.creation_timestamp or _LATEST, resource.metadata.uid


def find_conflict(resource: MailDomain, owner_of: OwnerOf) -> Conflict | None:
    """The first claimed name that another resource has."""
    for name in claimed_names(resource):
        owner = owner_of(name)
        if owner is not None and owner.key != resource.metadata.key:
            return Conflict(name, owner.key)
    return None


def refused_adoption(resource: MailDomain, found: Mapping[str, Any] | None, home: str) -> str | None:
    """Why the domain that the server has is not for this resource; None: it is, or there is none.

    `home` is the operator's own namespace: who may make resources there may do everything on the server anyway.
    """
    if found is None or resource.metadata.namespace == home:
        return None
    label = (found["spec"].get("labels") or {}).get(NAMESPACE_LABEL)
    if label == resource.metadata.namespace:
        return None
    if label is not None:
        return (
            f"the server keeps {resource.domain} for another namespace; an administrator of the server may change "
            f"the domain's label {NAMESPACE_LABEL}"
        )
    if found["users"]:
        return (
            f"the server has {resource.domain} already, with accounts and made by other means; an administrator of "
            f"the server may give the domain the label {NAMESPACE_LABEL}={resource.metadata.namespace}"
        )
    return None


def waits_for_name(resource: MailDomain) -> bool:
    """Whether another resource stood in its way when it was last looked at."""
    return any(
        condition.status == "False" and condition.reason in ("Conflict", "NameNotAllowed")
        for condition in resource.status.conditions
    )
