"""MailDomain: the domain on the server, its keys, its certificate, its records; what is in the way, as conditions."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

from mailraven_api.dns import DnsCheck, DnsFinding, DnsRecord, DnsRecords
from mailraven_api.kubernetes import MailDomain
from mailraven_operator.context import Context
from mailraven_operator.domains import certificates, dkim
from mailraven_operator.domains.children import tls_name
from mailraven_operator.domains.conditions import SYNCED, not_synced, summed_up, was_synced
from mailraven_operator.domains.deletion import delete_domain
from mailraven_operator.domains.dns_records import (
    ALIASES_SHOWN,
    Answer,
    dns_condition,
    identities,
    shown_records,
)
from mailraven_operator.domains.dns_watch import DnsWatch
from mailraven_operator.domains.document import Document, differing_fields, refusal, wanted_document
from mailraven_operator.domains.ownership import (
    claimed_names,
    find_conflict,
    owners_of,
    refused_adoption,
    waits_for_name,
)
from mailraven_operator.domains.usage import settled_octets
from mailraven_operator.outcome import ConditionValue, Outcome
from mailraven_operator.server import Server, ServerRefused, path
from mailraven_operator.world import Key, World

_SOON_SECONDS = 1.0


class MailDomains:
    """The kind, as the frame knows it."""

    plural: ClassVar[str] = "maildomains"
    model: ClassVar[type[Any]] = MailDomain
    finalizes: ClassVar[bool] = True

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._watch = DnsWatch(now)
        # What was sent last, and how the server stores it: it may write a name in another way.
        self._sent: dict[Key, tuple[Document, Document]] = {}

    async def reconcile(self, context: Context, resource: MailDomain) -> Outcome:
        """Raises Problem for what keeps the domain from the server; keys and certificate get a condition each."""
        self._check_name(context, resource)
        found, repaired = await self._domain(context, resource)
        records = await _records(context.server, resource)
        answer, next_look = await self._watch.look(
            resource.metadata.key, identities(records), lambda: _ask_dns(context.server, resource)
        )
        published = frozenset() if answer is None else answer.published_selectors(resource.domain)
        keys = await dkim.settle(context, resource.domain, dkim.wish_of(resource, found), published)
        if keys.events:
            records = await _records(context.server, resource)
            next_look = _SOON_SECONDS  # there are other records to ask the DNS for
        if any(event.reason == "DkimKeyActivated" for event in keys.events):
            found = await _read(context.server, resource.domain) or found
        certificate = await certificates.settle(context, resource)
        conditions = (
            ConditionValue(SYNCED, True, "Reconciled", "The server has the domain as it is described here."),
            keys.condition,
            certificate.condition,
            dns_condition(resource, records, answer),
        )
        return Outcome(
            status=_status(resource, found)
            | {
                "certificate": certificate.status,
                "dnsRecords": shown_records(resource, records, answer),
            },
            conditions=(*conditions, summed_up(conditions[:3])),
            requeue_after=min(seconds for seconds in (next_look, certificate.requeue_after) if seconds is not None),
            events=keys.events,
            repaired=repaired,
        )

    async def finalize(self, context: Context, resource: MailDomain) -> None:
        """Retain leaves the domain as it is; Delete: see `deletion`. Raises Problem."""
        self._watch.forget(resource.metadata.key)
        self._sent.pop(resource.metadata.key, None)
        await certificates.withdraw(context, resource)
        if resource.spec.reclaim_policy == "Delete":
            await delete_domain(context, resource)

    async def close(self) -> None:
        """Ends what runs beside the reconciliations."""
        await self._watch.close()

    def touched_by(self, world: World, resource_kind: str, key: Key) -> Iterable[Key]:
        """Secrets and Certificates by name; of other MailDomains those that share a name or wait for one."""
        match resource_kind:
            case "Secret" | "Certificate":
                return {*world.referring(MailDomain.KIND, key), *_children_of(world, key)}
            case "MailDomain":
                return {*_siblings(world, key)} - {key}
            case "MailUser" if key not in world.users:  # the last one may have been waited for
                return [own for own, resource in world.domains.items() if resource.metadata.deletion_timestamp]
            case _:
                return ()

    def _check_name(self, context: Context, resource: MailDomain) -> None:
        """Raises Problem."""
        conflict = find_conflict(resource, owners_of(context.world))
        if conflict is not None:
            namespace, name = conflict.owner
            raise not_synced(resource, "Conflict", f"{conflict.name} belongs to the MailDomain {namespace}/{name}.")

    async def _domain(self, context: Context, resource: MailDomain) -> tuple[Document, tuple[str, ...]]:
        """The domain as the server has it in the end, and what of it had been changed by hand. Raises Problem."""
        wanted = wanted_document(resource)
        found = await context.server.domain(resource.domain)
        if found is not None and self._is_same(resource, wanted, found["spec"]):
            return found, ()
        where = path("domains", resource.domain)
        known = await context.server.read(where)  # not from a list: it may be some seconds old
        found, etag = (None, "") if known is None else known
        objection = refused_adoption(resource, found, context.settings.namespace)
        if objection is not None:
            raise not_synced(resource, "Conflict", objection)
        if found is not None and self._is_same(resource, wanted, found["spec"]):
            return found, ()
        try:
            made: Document = await context.server.put(where, wanted, etag=etag or None)
        except ServerRefused as error:
            words = refusal(error, resource)
            if words is None:
                raise
            raise not_synced(resource, *words) from None
        self._sent[resource.metadata.key] = wanted, made["spec"]
        if found is None or not was_synced(resource):
            return made, ()
        return made, differing_fields(found["spec"], wanted)

    def _is_same(self, resource: MailDomain, wanted: Document, stored: Document) -> bool:
        return stored == wanted or self._sent.get(resource.metadata.key) == (wanted, stored)


def _status(resource: MailDomain, found: Document) -> dict[str, Any]:
    selector, public_key = found["dkim_selector"], found["dkim_public_key"]
    return {
        "domain": resource.domain,
        "aliases": sorted(set(resource.spec.aliases)) or None,
        "users": found["users"],
        "usedBytes": settled_octets(resource.status.used_bytes, found["used_bytes"]),
        "dkim": {"selector": selector, "publicKey": public_key} if selector and public_key else None,
    }


async def _read(server: Server, domain: str) -> Document | None:
    found = await server.read(path("domains", domain))
    return None if found is None else found[0]


def _aliases(resource: MailDomain) -> tuple[str | None, ...]:
    """Under which names the records are looked at; None: the domain's own."""
    return None, *sorted(set(resource.spec.aliases))[:ALIASES_SHOWN]


def _query(alias: str | None) -> dict[str, str] | None:
    return None if alias is None else {"alias": alias}


async def _records(server: Server, resource: MailDomain) -> tuple[DnsRecord, ...]:
    where = path("domains", resource.domain, "dns")
    records: list[DnsRecord] = []
    for alias in _aliases(resource):
        found = await server.read(where, _query(alias))
        if found is not None:
            records += DnsRecords.model_validate(found[0]).records
    return tuple(records)


async def _ask_dns(server: Server, resource: MailDomain) -> Answer:
    where = path("domains", resource.domain, "dns", "check")
    findings: list[DnsFinding] = []
    for alias in _aliases(resource):
        found = await server.read(where, _query(alias))
        if found is not None:
            findings += DnsCheck.model_validate(found[0]).findings
    return Answer(tuple(dict.fromkeys(findings)))  # those about the host come with each name


def _children_of(world: World, key: Key) -> Iterator[Key]:
    namespace, name = key
    own = namespace, name.removesuffix("-tls")
    resource = world.domains.get(own)
    if resource is not None and tls_name(resource) == name:
        yield own


def _siblings(world: World, key: Key) -> Iterator[Key]:
    changed = world.domains.get(key)
    for name in () if changed is None else claimed_names(changed):
        yield from world.domain_claimants(name)
    for own, resource in world.domains.items():
        if waits_for_name(resource):
            yield own
