"""The DNS: one wrapper around dnspython, asked by delivery and mail checks."""

from mailraven.dns.check import Finding, check_records
from mailraven.dns.destinations import is_public
from mailraven.dns.errors import DnsError, LookupFailed, NameNotFound, NoAddress, NullMx
from mailraven.dns.records import PublishedKey, Record, dkim_record, domain_records, zone_text
from mailraven.dns.resolver import MailHost, Resolver

__all__ = [
    "DnsError",
    "Finding",
    "LookupFailed",
    "MailHost",
    "NameNotFound",
    "NoAddress",
    "NullMx",
    "PublishedKey",
    "Record",
    "Resolver",
    "check_records",
    "dkim_record",
    "domain_records",
    "is_public",
    "zone_text",
]
