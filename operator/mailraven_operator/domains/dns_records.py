"""What of a domain's records the status shows, and what DNSReady says. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mailraven_api.dns import DnsFinding, DnsRecord
from mailraven_api.kubernetes import MailDomain
from mailraven_operator.domains.conditions import stored_conditions
from mailraven_operator.outcome import ConditionValue

DNS_READY = "DNSReady"
ALIASES_SHOWN = 20
"""Of how many other names the records are shown and looked up: a status has its limits."""
_FOUND_SHOWN = 5
_TEXT_SHOWN = 512
_PROBLEMS_SHOWN = 6

Identity = tuple[str, str, str]
"""Name, type and value of a record."""


@dataclass(frozen=True)
class Answer:
    """What the DNS said of everything that the domain should publish."""

    findings: tuple[DnsFinding, ...]

    def state_of(self, record: DnsRecord) -> DnsFinding | None:
        """The finding about a record."""
        wanted = identity(record)
        return next((one for one in self.findings if (one.name, one.type, one.expected) == wanted), None)

    def published_selectors(self, domain: str) -> frozenset[str]:
        """Selectors of the domain's DKIM keys that everybody can look up."""
        place = f"._domainkey.{domain}"
        found = [one.name for one in self.findings if one.purpose == "dkim" and one.state == "ok"]
        return frozenset(name.removesuffix(place) for name in found if name.endswith(place))


def identity(record: DnsRecord) -> Identity:
    """What a record is known by."""
    return record.name, record.type, record.value


def identities(records: Sequence[DnsRecord]) -> tuple[Identity, ...]:
    """Of all of them: another tuple means that the DNS has to be asked anew."""
    return tuple(identity(record) for record in records)


def shown_records(resource: MailDomain, records: Sequence[DnsRecord], answer: Answer | None) -> list[dict[str, Any]]:
    """`dnsRecords` of the status. Without an answer yet (the operator has just started) what the status says of a
    record stays."""
    before = {(one.name, one.type, one.value): one for one in resource.status.dns_records}
    shown = []
    for record in records:
        finding = None if answer is None else answer.state_of(record)
        known = before.get(identity(record))
        state: str = "unknown"
        found: tuple[str, ...] = ()
        if finding is not None:
            state, found = finding.state, _shortened(finding.found)
        elif known is not None:
            state, found = known.state, known.found
        shown.append(
            {
                "name": record.name,
                "type": record.type,
                "ttl": record.ttl,
                "value": record.value,
                "purpose": record.purpose,
                "required": record.required,
                "state": state,
                "found": list(found),
            }
        )
    return shown


def dns_condition(resource: MailDomain, records: Sequence[DnsRecord], answer: Answer | None) -> ConditionValue:
    """DNSReady."""
    if answer is None:
        return _before(resource, records)
    required = [finding for finding in answer.findings if finding.required]
    wrong = [finding for finding in required if finding.state in ("missing", "differs")]
    if wrong:
        return ConditionValue(DNS_READY, False, "RecordsMissing", _listed("To publish or to correct", wrong))
    silent = [finding for finding in required if finding.state == "error"]
    if silent:
        return ConditionValue(DNS_READY, None, "LookupFailed", _listed("The DNS does not answer for", silent))
    return ConditionValue(DNS_READY, True, "Published", "Everything that is required is in the DNS.")


def _before(resource: MailDomain, records: Sequence[DnsRecord]) -> ConditionValue:
    """The condition as it stands while the records are the same; else: not asked yet."""
    known = {(one.name, one.type, one.value) for one in resource.status.dns_records}
    if known == set(identities(records)):
        for condition in stored_conditions(resource):
            if condition.type == DNS_READY:
                return condition
    return ConditionValue(DNS_READY, None, "NotChecked", "The DNS has not been asked yet.")


def _listed(text: str, findings: Sequence[DnsFinding]) -> str:
    shown = "; ".join(f"{one.type} {one.name}" for one in findings[:_PROBLEMS_SHOWN])
    more = f"; and {len(findings) - _PROBLEMS_SHOWN} more" if len(findings) > _PROBLEMS_SHOWN else ""
    return f"{text}: {shown}{more}"


def _shortened(found: Sequence[str]) -> tuple[str, ...]:
    """Sorted: the DNS answers in another order each time."""
    return tuple(sorted(text[:_TEXT_SHOWN] for text in found)[:_FOUND_SHOWN])
