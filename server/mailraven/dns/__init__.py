"""The DNS: one wrapper around dnspython, asked by delivery and mail checks."""

from mailraven.dns.destinations import is_public
from mailraven.dns.errors import DnsError, LookupFailed, NameNotFound, NoAddress, NullMx
from mailraven.dns.resolver import MailHost, Resolver

__all__ = [
    "DnsError",
    "LookupFailed",
    "MailHost",
    "NameNotFound",
    "NoAddress",
    "NullMx",
    "Resolver",
    "is_public",
]
