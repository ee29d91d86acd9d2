"""The DNS records that a domain should publish, and what is found."""

from datetime import datetime
from typing import Literal

from mailraven_api.model import Model


class DnsRecord(Model):
    """A record to publish."""

    name: str
    """Absolute, without the trailing dot."""
    type: Literal["MX", "TXT", "SRV"]
    ttl: int
    value: str
    """As a person reads it: "10 mx.example.org", or a text in one piece."""
    strings: tuple[str, ...] = ()
    """Of a TXT record: its parts of at most 255 octets each."""
    purpose: Literal["mx", "spf", "dkim", "dmarc", "submission", "imap"]
    required: bool
    """Mail suffers without it; the others are for the convenience of mail clients."""


class DnsRecords(Model):
    """GET /api/v1/domains/{name}/dns."""

    domain: str
    hostname: str
    """The host that takes the domain's mail."""
    records: tuple[DnsRecord, ...]
    hints: tuple[str, ...]
    """What has to be published elsewhere: addresses and reverse names of the host."""


class DnsFinding(Model):
    """About one record."""

    name: str
    type: str
    purpose: str
    state: Literal["ok", "missing", "differs", "error"]
    """error: the DNS did not answer."""
    expected: str
    found: tuple[str, ...]
    detail: str
    required: bool


class DnsCheck(Model):
    """GET /api/v1/domains/{name}/dns/check."""

    domain: str
    hostname: str
    ok: bool
    """Everything that is required is there."""
    checked_at: datetime
    findings: tuple[DnsFinding, ...]
