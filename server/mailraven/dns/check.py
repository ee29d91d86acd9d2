"""Compares what a domain should publish with what the resolver finds: all at once, in bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import dns.reversename

from mailraven.dns.compare import Judgement, State, judge
from mailraven.dns.destinations import is_public
from mailraven.dns.errors import DnsError, LookupFailed, NameNotFound
from mailraven.dns.records import Record
from mailraven.dns.resolver import Resolver

_AT_A_TIME = 16
_FOUND_MAX, _TEXT_MAX = 20, 2000
_ADDRESSES_MAX = 8


@dataclass(frozen=True, slots=True)
class Finding:
    """About one record."""

    name: str
    type: str
    purpose: str
    state: State
    expected: str
    found: tuple[str, ...] = ()
    detail: str = ""
    required: bool = True


async def check_records(
    resolver: Resolver, records: Sequence[Record], hostname: str, *, greeting: str = "", timeout: float = 15.0
) -> list[Finding]:
    """A finding for each record, then those about the host itself. What takes too long is an error, the rest counts.

    `greeting` is what the server calls itself when it sends mail, where that is not `hostname`.
    """
    checker = _Checker(resolver, hostname, greeting or hostname)
    tasks = [asyncio.create_task(checker.record(record)) for record in records]
    host = asyncio.create_task(checker.host())
    try:
        await asyncio.wait((*tasks, host), timeout=timeout)
        late = "no answer in time"
        findings = [
            task.result() if task.done() else _finding(record, Judgement("error", late))
            for task, record in zip(tasks, records, strict=True)
        ]
        if host.done():
            return findings + host.result()
        return [*findings, Finding(hostname, "A", "host", "error", "an address", detail=late)]
    finally:
        for task in (*tasks, host):
            task.cancel()
        await asyncio.gather(*tasks, host, return_exceptions=True)


class _Checker:
    def __init__(self, resolver: Resolver, hostname: str, greeting: str) -> None:
        self._resolver = resolver
        self._hostname = hostname
        self._greeting = greeting
        self._slots = asyncio.Semaphore(_AT_A_TIME)

    async def record(self, record: Record) -> Finding:
        try:
            found = await self._ask(record.name, record.type)
        except LookupFailed as error:
            return _finding(record, Judgement("error", str(error)))
        judgement = judge(record, found, hostname=self._hostname)
        if record.purpose == "mx" and judgement.state == "ok":
            judgement = await self._without_alias(judgement)
        return _finding(record, judgement, _relevant(record, found))

    async def _without_alias(self, judgement: Judgement) -> Judgement:
        # RFC 2181 §10.3: the host of an MX must not be an alias.
        try:
            alias = await self._ask(self._hostname, "CNAME")
        except LookupFailed as error:
            return Judgement("error", str(error))
        if alias:
            return Judgement("differs", f"{self._hostname} is an alias (CNAME) of {alias[0]}: some senders refuse it")
        return judgement

    async def host(self) -> list[Finding]:
        """Addresses of the host, and their reverse names."""
        expected = "an address"
        try:
            async with self._slots:
                addresses = await self._resolver.addresses(self._hostname)
        except LookupFailed as error:
            return [Finding(self._hostname, "A", "host", "error", expected, detail=str(error))]
        except DnsError as error:
            return [Finding(self._hostname, "A", "host", "missing", expected, detail=str(error))]
        private = [address for address in addresses if not is_public(address)]
        detail = f"not reachable from the internet: {', '.join(private)}" if private else ""
        state: State = "differs" if len(private) == len(addresses) else "ok"
        own = Finding(self._hostname, "A", "host", state, expected, tuple(addresses[:_FOUND_MAX]), detail)
        reverse = await asyncio.gather(*(self._reverse(address) for address in addresses[:_ADDRESSES_MAX]))
        return [own, *reverse]

    async def _reverse(self, address: str) -> Finding:
        """Forward-confirmed: the name of the address leads back to it; many servers refuse mail without that."""
        name = dns.reversename.from_address(address).to_text(omit_final_dot=True)
        try:
            names = await self._ask(name, "PTR")
            judgement = await self._judge_reverse(address, names)
        except LookupFailed as error:
            names, judgement = [], Judgement("error", str(error))
        # Mail may leave from another address than it comes in at: worth knowing, not wrong as such.
        return Finding(
            name, "PTR", "reverse", judgement.state, self._greeting, _cut(names), judgement.detail, required=False
        )

    async def _judge_reverse(self, address: str, names: Sequence[str]) -> Judgement:
        if not names:
            return Judgement("missing", f"{address} has no name: many servers refuse mail from it")
        for name in names[:_ADDRESSES_MAX]:
            try:
                async with self._slots:
                    back = await self._resolver.addresses(name)
            except LookupFailed:
                raise
            except DnsError:
                continue
            if address in back:
                if self._greeting in names:
                    return Judgement("ok")
                return Judgement("differs", f"{address} is called {name}, and this server says {self._greeting}")
        return Judgement("differs", f"no name of {address} leads back to it")

    async def _ask(self, name: str, kind: str) -> list[str]:
        """Nothing where the name does not exist. Raises LookupFailed."""
        async with self._slots:
            try:
                return await self._resolver.records(name, kind)
            except NameNotFound:
                return []


def _relevant(record: Record, found: Sequence[str]) -> list[str]:
    """A domain's own name has TXT records of many other uses."""
    if record.purpose == "spf":
        return [text for text in found if text.lower().startswith("v=spf1")]
    return list(found)


def _finding(record: Record, judgement: Judgement, found: Sequence[str] = ()) -> Finding:
    return Finding(
        record.name,
        record.type,
        record.purpose,
        judgement.state,
        record.value,
        _cut(found),
        judgement.detail,
        record.required,
    )


def _cut(found: Sequence[str]) -> tuple[str, ...]:
    return tuple(text[:_TEXT_MAX] for text in found[:_FOUND_MAX])
