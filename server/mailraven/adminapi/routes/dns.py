"""/api/v1/domains/{domain}/dns: the records that the domain needs, and whether they are there."""

import datetime as dt
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Response
from fastapi.responses import PlainTextResponse

from mailraven import dkim
from mailraven.adminapi.access import Who, allow
from mailraven.adminapi.path_names import DomainName
from mailraven.adminapi.principal import Principal
from mailraven.adminapi.problems import ApiProblem, problems
from mailraven.adminapi.services import Api, ApiServices
from mailraven.directory import domain_specs
from mailraven.dns import Record, Resolver, check_records, domain_records, zone_text
from mailraven_api.dns import DnsCheck, DnsFinding, DnsRecord, DnsRecords

router = APIRouter(prefix="/api/v1/domains/{domain}/dns", tags=["dns"])

Reader = Annotated[Principal, Depends(allow("domains:read", Who.DOMAIN))]
Alias = Annotated[
    str | None, Query(max_length=255, description="Another name of the domain, to see the records of that name.")
]
_LOOKUP_SECONDS = 5.0
_TEXT: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}


@router.get("", response_model=DnsRecords, summary="Records to publish", responses=_TEXT | problems(404))
async def get_dns_records(
    api: Api,
    principal: Reader,
    domain: DomainName,
    alias: Alias = None,
    shape: Annotated[
        Literal["json", "zone"] | None, Query(alias="format", description="zone: as lines of a zone file.")
    ] = None,
    accept: Annotated[str, Header(max_length=1000, include_in_schema=False)] = "",
) -> DnsRecords | Response:
    """As JSON, or with `format=zone` or `Accept: text/plain` as text."""
    name, hostname, records = await _records(api, principal, alias)
    hints = _hints(hostname, api.config.hostname)
    if shape == "zone" or (shape is None and accept.partition(",")[0].partition(";")[0].strip() == "text/plain"):
        return PlainTextResponse(zone_text(records) + "".join(f"; {hint}\n" for hint in hints))
    shown = tuple(shown_record(record) for record in records)
    return DnsRecords(domain=name, hostname=hostname, records=shown, hints=hints)


@router.get("/check", summary="Compare with the DNS", responses=problems(404))
async def check_dns(api: Api, principal: Reader, domain: DomainName, alias: Alias = None) -> DnsCheck:
    """Asks the DNS for every record, all at once; takes at most 15 seconds."""
    name, hostname, records = await _records(api, principal, alias)
    delivery = api.config.delivery
    resolver = Resolver(delivery.resolver, timeout=min(delivery.dns_timeout, _LOOKUP_SECONDS))
    findings = await check_records(resolver, records, hostname, greeting=api.config.hostname)
    return DnsCheck(
        domain=name,
        hostname=hostname,
        ok=all(finding.state == "ok" for finding in findings if finding.required),
        checked_at=dt.datetime.now(dt.UTC),
        findings=tuple(DnsFinding(**asdict(finding)) for finding in findings),
    )


async def _records(api: ApiServices, principal: Principal, alias: str | None) -> tuple[str, str, list[Record]]:
    """The name, the host that takes its mail, and what is to be published."""
    domain = principal.domain
    async with api.database.acquire() as connection:
        keys = await dkim.published_keys(connection, domain.id, dt.datetime.now(dt.UTC))
        holds = await domain_specs.effective_domain(connection, domain.name)
    name = domain.name
    if alias is not None:
        name = domain_specs.domain_name(alias)
        if name not in holds.aliases:
            raise ApiProblem(404, f"{name} is not another name of {domain.name}.")
    hostname = holds.hostname or api.config.hostname
    return name, hostname, domain_records(name, hostname, [key.published for key in keys])


def _hints(hostname: str, greeting: str) -> tuple[str, ...]:
    return (
        f"{hostname} needs an A record, and an AAAA record if it has an IPv6 address; it must not be a CNAME.",
        f"The reverse name (PTR) of the address that mail leaves from should be {greeting}.",
    )


def shown_record(record: Record) -> DnsRecord:
    """For an answer."""
    return DnsRecord(
        name=record.name,
        type=record.type,
        ttl=record.ttl,
        value=record.value,
        strings=record.strings,
        purpose=record.purpose,
        required=record.required,
    )
