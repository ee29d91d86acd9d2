"""Whose an address is: which MailDomain it is of, who may use that, and which MailUser was first. Only one of these
asks the server; the others decide by what is known.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mailraven_api.kubernetes import MailDomain, address_key, domain_of
from mailraven_operator.context import Context
from mailraven_operator.domains.ownership import NAMESPACE_LABEL, refused_adoption
from mailraven_operator.outcome import Problem
from mailraven_operator.server import path
from mailraven_operator.world import Key, World


@dataclass(frozen=True)
class Place:
    """Where a MailUser stands in a domain."""

    domain: MailDomain
    owned: bool
    """The namespace is the domain's own, or the operator's: it may do what is the domain's, not only the user's."""


def place_in(world: World, namespace: str, home: str, domain: str) -> Place:
    """Raises Problem where the namespace may have no users in the domain."""
    owner = world.domain_owner(domain)
    if owner is None:
        there = (
            "the MailDomain of {} is not valid" if world.domain_owner_key(domain) else "there is no MailDomain of {}"
        )
        raise Problem("DomainNotFound", there.format(domain))
    if not _allows(world, owner, namespace):
        raise Problem("DomainNotAllowed", f"the MailDomain of {domain} has no users in this namespace", retry=False)
    if owner.domain != domain:
        raise Problem("InvalidSpec", f"{domain} is another name of {owner.domain}: use that one", retry=False)
    return Place(owner, namespace in (owner.metadata.namespace, home))


def check_on_server(place: Place, home: str, found: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The domain as the server has it. Raises Problem when it has none yet, or one that the MailDomain may not have."""
    name = place.domain.domain
    if found is None:
        raise Problem("DomainNotFound", f"the server does not have {name} yet")
    if refused_adoption(place.domain, found, home) is not None:
        raise Problem("DomainNotAllowed", f"the MailDomain of {name} may not manage the domain that the server has")
    return found


async def domain_on_server(context: Context, place: Place) -> Mapping[str, Any]:
    """From the list, or asked for by itself when that would stop us: it may be some seconds old. Raises Problem."""
    name, home = place.domain.domain, context.settings.namespace
    try:
        return check_on_server(place, home, (await context.server.domains()).get(name))
    except Problem:
        found = await context.server.read(path("domains", name))
        return check_on_server(place, home, None if found is None else found[0])


def first_claimant(world: World, address: str) -> Key | None:
    """The oldest MailUser that claims the address, of those that its domain lets in: nobody can keep an address from
    the users of a domain by claiming it from outside. None: nobody."""
    claimants = world.address_claimants(address)
    if len(claimants) > 1:
        owner = world.domain_owner(domain_of(address))
        claimants = [key for key in claimants if owner is not None and _allows(world, owner, key[0])]
    return next(iter(claimants), None)


def check_claim(world: World, address: str, key: Key) -> None:
    """Raises Problem when the address belongs to another MailUser."""
    first = first_claimant(world, address)
    if first is not None and first != key:
        raise Problem("Conflict", f"{address} belongs to the MailUser {first[0]}/{first[1]}", retry=False)


def check_role(role: str, namespace: str, home: str, place: Place) -> None:
    """Raises Problem when a MailUser of this namespace may not have the role."""
    if role == "super-admin" and namespace != home:
        raise Problem("NamespaceNotAllowed", f"spec.role: a super-admin's MailUser is in {home}", retry=False)
    if role == "domain-admin" and not place.owned:
        where = place.domain.metadata.namespace
        raise Problem("NamespaceNotAllowed", f"spec.role: a domain-admin's MailUser is in {where}", retry=False)


def refused_account(
    account: Mapping[str, Any], *, namespace: str, home: str, owned: bool, synced_address: str | None
) -> str | None:
    """Why the account that the server has is not for this MailUser; None: it is. `synced_address`: of its status.

    Accounts carry the namespace that they belong to as a label. Those of the domain's own namespace may take over any
    account of the domain, but no super-admin: whoever sets a password has the account.
    """
    address = account["address"]
    if namespace == home:
        return None
    if account["role"] == "super-admin":
        return f"{address} is a super-admin on the server: its MailUser has to be in {home}"
    if owned:
        return None
    label = account["labels"].get(NAMESPACE_LABEL)
    if label == namespace or (label is None and synced_address == address):
        return None
    return f"the server has {address} already, and not from this namespace"


def is_same_address(one: str, other: str) -> bool:
    """To the server."""
    return address_key(one) == address_key(other)


def _allows(world: World, domain: MailDomain, namespace: str) -> bool:
    allowed = domain.spec.allowed_namespaces
    return allowed.allows(domain.metadata.namespace, namespace, world.namespace_labels(namespace))
