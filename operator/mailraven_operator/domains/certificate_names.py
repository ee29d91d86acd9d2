"""Which names a domain's certificate should have, and which ones it may have. Pure.

A certificate is served to everybody who asks for one of its names, so a resource may only bring names that are its
own: the name of the domain or of an alias, and what is below them. Where a part of a domain is a MailDomain of its own
(example.org, team.example.org), names below it belong to that one; but a name that the older resource asks for
explicitly, and has a certificate for, stays with it, so that nobody takes mail.example.org away by making a MailDomain
of that name. (Has: dnsNames may be added at any time, and being old must not be enough to take names from others.)
The host name of the server itself is for MailDomains of the operator's namespace: what is served for it is served to
everybody's users.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mailraven_api.kubernetes import MailDomain
from mailraven_operator.domains.ownership import Owner, OwnerOf, claimed_names, is_older

_WILDCARD = "*."
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z)(\*\.)?{_LABEL}(\.{_LABEL})*")


@dataclass(frozen=True)
class Denied:
    """A name that the certificate may not have."""

    name: str
    reason: str


def wanted_names(resource: MailDomain, reserved: str = "") -> tuple[str, ...]:
    """The mail host, when it is in the domain, and what `tls.dnsNames` says; mail.DOMAIN where that is nothing. Without
    `reserved`, which has a certificate of its own, unless dnsNames asks for it."""
    host = resource.spec.hostname
    found = [host] if host is not None and _covering(host, claimed_names(resource)) is not None else []
    asked = [name.lower().rstrip(".") for name in resource.spec.tls.dns_names]
    names = tuple(dict.fromkeys((*found, *asked))) or (f"mail.{resource.domain}",)
    return tuple(name for name in names if name != reserved or name in asked)


def denied_names(
    names: tuple[str, ...], resource: MailDomain, owner_of: OwnerOf, reserved: str = ""
) -> tuple[Denied, ...]:
    """Those of `names` that are not the resource's. `reserved`: a host name that it must not have."""
    judged = ((name, _objection(name.lower().rstrip("."), resource, owner_of, reserved)) for name in names)
    return tuple(Denied(name, objection) for name, objection in judged if objection is not None)


def covers(pattern: str, name: str) -> bool:
    """Whether a certificate for `pattern` is served for `name`: a wildcard stands for one label (RFC 9525 §6.3)."""
    if pattern == name:
        return True
    return pattern.startswith(_WILDCARD) and name.partition(".")[2] == pattern.removeprefix(_WILDCARD)


def _objection(name: str, resource: MailDomain, owner_of: OwnerOf, reserved: str) -> str | None:
    bare = name.removeprefix(_WILDCARD)
    own = _covering(bare, claimed_names(resource))
    if not _NAME.fullmatch(name):
        return "it is not a DNS name"
    if own is None:
        return f"it is not in {' or '.join(claimed_names(resource)[:5])}"
    if reserved and covers(name, reserved):
        return f"{reserved} is the server's own name, whose certificate comes with the server"
    for part, owner in _owners(bare, owner_of):
        if owner.key == resource.metadata.key:
            continue
        if _is_theirs(name, len(part) - len(own), resource, owner.resource):
            return f"it belongs to the MailDomain {owner.key[0]}/{owner.key[1]}"
    return None


def _is_theirs(name: str, closer: int, resource: MailDomain, other: MailDomain | None) -> bool:
    """`closer`: above 0 when the other one's domain is nearer to the name, below 0 when it is further up."""
    if closer > 0:
        return other is None or not (_has(resource, name) and is_older(resource, other))
    return closer < 0 and other is not None and _has(other, name) and is_older(other, resource)


def _has(resource: MailDomain, name: str) -> bool:
    """It asks for the name, and the server has its certificate for it."""
    certificate = resource.status.certificate
    served = () if certificate is None else certificate.names
    return all(any(covers(pattern, name) for pattern in names) for names in (wanted_names(resource), served))


def _owners(name: str, owner_of: OwnerOf) -> Iterator[tuple[str, Owner]]:
    """The owners of the name and of the domains above it."""
    while name:
        owner = owner_of(name)
        if owner is not None:
            yield name, owner
        name = name.partition(".")[2]


def _covering(name: str, domains: tuple[str, ...]) -> str | None:
    """The longest of the domains that the name is in."""
    return max((one for one in domains if name == one or name.endswith("." + one)), key=len, default=None)
