"""Look-ups for mail: MX with implicit MX and null MX, and addresses (RFC 5321 §5.1, RFC 7505)."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver

from mailraven.dns.errors import LookupFailed, NameNotFound, NoAddress, NullMx

_CACHE_ENTRIES = 10_000


@dataclass(frozen=True, slots=True)
class MailHost:
    """A host that takes mail for a domain; `preference` 0 for the implicit one."""

    preference: int
    name: str


class Resolver:
    """The resolver of a process, with its cache.

    `nameservers` are "host:port"; empty: those of the system. A host that is a name is looked up once, by the system.
    """

    def __init__(
        self,
        nameservers: Sequence[str] = (),
        *,
        timeout: float = 10.0,
        rng: random.Random | None = None,
    ) -> None:
        self._endpoints = tuple(nameservers)
        self._timeout = timeout
        self._rng = rng or random.Random()  # noqa: S311 - shuffles hosts
        self._resolver: dns.asyncresolver.Resolver | None = None
        self._preparing = asyncio.Lock()

    async def mx(self, domain: str) -> list[MailHost]:
        """The hosts for mail to `domain`, best first, those of one preference in random order.

        A domain without MX is its own host (RFC 5321 §5.1): whether it has an address is for `addresses` to say.

        Raises:
            NameNotFound, NullMx: for ever. LookupFailed: for now.
        """
        answer = await self._query(domain, dns.rdatatype.MX)
        if not answer:
            return [MailHost(0, domain)]
        hosts = [MailHost(int(r.preference), _text(r.exchange)) for r in answer]
        usable = [host for host in hosts if host.name]
        if not usable:
            raise NullMx(f"{domain} does not accept mail (null MX)")  # RFC 7505 §4.1
        self._rng.shuffle(usable)
        return sorted(usable, key=lambda host: host.preference)

    async def addresses(self, host: str) -> list[str]:
        """IPv4 and IPv6 addresses of `host`, IPv4 first: a reverse name and SPF are more often right there.

        Raises:
            NameNotFound, NoAddress: for ever. LookupFailed: for now.
        """
        results = await asyncio.gather(
            self._query(host, dns.rdatatype.A), self._query(host, dns.rdatatype.AAAA), return_exceptions=True
        )
        found: list[str] = []
        failure: BaseException | None = None
        for result in results:
            if not isinstance(result, BaseException):
                found += [str(record.address) for record in result]
            elif failure is None or isinstance(result, LookupFailed):
                failure = result  # one family that may come later outweighs the other's absence
        if found:
            return found
        raise failure or NoAddress(f"{host} has no address")

    async def records(self, name: str, kind: str) -> list[str]:
        """The records of a type as texts, CNAMEs followed: "10 mx.example.org" (MX), "0 1 465 mx.example.org" (SRV),
        TXT with its strings joined (RFC 7208 §3.3, RFC 6376 §3.6.2.2). Host names in lower case without the last dot.

        Raises:
            NameNotFound: for ever. LookupFailed: for now.
        """
        return [_record_text(record) for record in await self._query(name, dns.rdatatype.from_text(kind))]

    async def _query(self, name: str, kind: dns.rdatatype.RdataType) -> list[Any]:
        """Records after following CNAMEs; empty: the name exists without such records."""
        try:
            absolute = dns.name.from_text(name)
        except dns.exception.DNSException as error:
            raise NameNotFound(f"{name!r} is not a domain name") from error
        resolver = self._resolver or await self._prepare()
        try:
            answer = await resolver.resolve(absolute, kind, search=False, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN as error:
            raise NameNotFound(f"domain name {name} does not exist") from error
        except dns.resolver.YXDOMAIN as error:
            raise NameNotFound(f"domain name {name} is too long after its DNAME") from error
        except (dns.exception.DNSException, OSError, EOFError) as error:
            raise LookupFailed(f"look-up of {name} failed: {_reason(error)}") from error
        return list(answer.rrset or ())

    async def _prepare(self) -> dns.asyncresolver.Resolver:
        async with self._preparing:
            if self._resolver is None:
                self._resolver = await self._configured()
        return self._resolver

    async def _configured(self) -> dns.asyncresolver.Resolver:
        if self._endpoints:
            resolver = dns.asyncresolver.Resolver(configure=False)
            servers: list[str | dns.nameserver.Nameserver] = []
            for endpoint in self._endpoints:
                servers += await _nameservers(endpoint)
            resolver.nameservers = servers
        else:
            try:
                resolver = dns.asyncresolver.Resolver()
            except dns.resolver.NoResolverConfiguration as error:
                raise LookupFailed("this system has no resolver configured") from error
        resolver.timeout = self._timeout / 2
        resolver.lifetime = self._timeout
        resolver.cache = dns.resolver.LRUCache(_CACHE_ENTRIES)
        return resolver


async def _nameservers(endpoint: str) -> list[dns.nameserver.Nameserver]:
    host, _, port = endpoint.rpartition(":")
    host = host.strip("[]")
    try:
        addresses = [str(ip_address(host))]
    except ValueError:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, int(port), type=socket.SOCK_DGRAM)
        except OSError as error:
            raise LookupFailed(f"resolver {endpoint} has no address") from error
        addresses = [str(entry[4][0]) for entry in found]
    return [dns.nameserver.Do53Nameserver(address, int(port)) for address in addresses]


def _text(name: dns.name.Name) -> str:
    """Lower case without the trailing dot; the root is empty."""
    return name.to_text(omit_final_dot=True).lower() if name != dns.name.root else ""


def _record_text(record: Any) -> str:
    match record.rdtype:
        case dns.rdatatype.TXT:
            return b"".join(record.strings).decode("utf-8", "replace")
        case dns.rdatatype.MX:
            return f"{record.preference} {_text(record.exchange) or '.'}"
        case dns.rdatatype.SRV:
            return f"{record.priority} {record.weight} {record.port} {_text(record.target) or '.'}"
        case dns.rdatatype.PTR | dns.rdatatype.CNAME:
            return _text(record.target)
        case _:
            return str(record.to_text())


def _reason(error: Exception) -> str:
    """A few words of our own: an exception's text may be long and quotes the servers."""
    if isinstance(error, dns.resolver.NoNameservers):
        return "server failure"
    if isinstance(error, dns.exception.Timeout):
        return "no answer in time"
    return type(error).__name__
