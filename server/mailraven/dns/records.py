"""What a domain should publish. Pure: MX, SPF (RFC 7208), DKIM (RFC 6376, RFC 8463), DMARC (RFC 7489), SRV (RFC 6186,
RFC 8314 §5.1), and the same as the text of a zone (RFC 1035 §5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

RecordType = Literal["MX", "TXT", "SRV"]
Purpose = Literal["mx", "spf", "dkim", "dmarc", "submission", "imap"]

_TTL = 3600
_STRING = 255  # RFC 1035 §3.3: octets of a character-string
# RFC 6186 §3.1, RFC 8314 §5.1: the ports under which the world sees the services, TLS from the start preferred.
_SERVICES: tuple[tuple[str, int, int, Purpose], ...] = (
    ("_submissions._tcp", 0, 465, "submission"),
    ("_submission._tcp", 10, 587, "submission"),
    ("_imaps._tcp", 0, 993, "imap"),
)


@dataclass(frozen=True, slots=True)
class Record:
    """A record; `name` and host names are absolute without the trailing dot."""

    name: str
    type: RecordType
    value: str
    """As a person reads it: "10 mx.example.org", or the text of a TXT record in one piece."""
    purpose: Purpose
    required: bool = True
    ttl: int = _TTL

    @property
    def strings(self) -> tuple[str, ...]:
        """The parts of a TXT record, each of at most 255 octets."""
        return split_text(self.value) if self.type == "TXT" else ()


@dataclass(frozen=True, slots=True)
class PublishedKey:
    """A DKIM key whose public part belongs in the DNS."""

    selector: str
    algorithm: str
    public_key: str


def domain_records(domain: str, hostname: str, keys: Sequence[PublishedKey] = ()) -> list[Record]:
    """All records of `domain`, whose mail goes to `hostname`. Names are A-labels."""
    found = [
        Record(domain, "MX", f"10 {hostname}", "mx"),
        Record(domain, "TXT", "v=spf1 mx -all", "spf"),  # RFC 7208 §4.5, §5.4
        *(dkim_record(domain, key) for key in keys),
        Record(f"_dmarc.{domain}", "TXT", f"v=DMARC1; p=quarantine; rua=mailto:postmaster@{domain}", "dmarc"),
    ]
    for service, priority, port, purpose in _SERVICES:
        found.append(Record(f"{service}.{domain}", "SRV", f"{priority} 1 {port} {hostname}", purpose, required=False))
    return found


def dkim_record(domain: str, key: PublishedKey) -> Record:
    """The public key in the DNS (RFC 6376 §3.6.1, §3.6.2.1; RFC 8463 §4 for Ed25519)."""
    text = f"v=DKIM1; k={key.algorithm}; p={key.public_key}"
    return Record(f"{key.selector}._domainkey.{domain}", "TXT", text, "dkim")


def split_text(text: str) -> tuple[str, ...]:
    """Character-strings of at most 255 octets; readers join them without a space (RFC 6376 §3.6.2.2)."""
    return tuple(text[start : start + _STRING] for start in range(0, len(text), _STRING))


def zone_text(records: Sequence[Record]) -> str:
    """The records as lines of a zone file, with absolute names."""
    return "".join(f"{record.name}. {record.ttl} IN {record.type} {zone_value(record)}\n" for record in records)


def zone_value(record: Record) -> str:
    """The data of a record as a zone file has it."""
    if record.type == "TXT":
        return " ".join(f'"{_escape(part)}"' for part in record.strings)
    return f"{record.value}."  # what ends in a host name


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
