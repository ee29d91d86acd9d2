"""From a recipient's domain to the addresses to try, best first (RFC 5321 §5.1)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from mailraven.delivery.outcome import Outcome
from mailraven.dns import DnsError, MailHost, Resolver, is_public

MAX_ADDRESSES = 8  # of one attempt; RFC 5321 §5.1 wants two at least


class NoRoute(Exception):
    """The domain has no host to try; `outcome` says why, for ever or for now."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.text)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class Router:
    """MX look-up and the choice of addresses. Relays and smarthosts will be another way to make `hosts`."""

    resolver: Resolver
    own_name: str
    allow_private: bool

    async def hosts(self, domain: str) -> list[MailHost]:
        """NoRoute."""
        if domain.startswith("["):
            return [MailHost(0, domain)]
        try:
            hosts = await self.resolver.mx(domain)
        except DnsError as error:
            raise NoRoute(Outcome(error.status, str(error))) from error
        # RFC 5321 §5.1: when we are among the hosts, only better ones than us are tried.
        ours = [host.preference for host in hosts if host.name == self.own_name]
        if ours:
            hosts = [host for host in hosts if host.preference < min(ours)]
            if not hosts:
                raise NoRoute(Outcome("5.4.6", f"mail for {domain} loops back to this server"))
        return hosts

    async def addresses(self, domain: str, failures: list[Outcome]) -> AsyncGenerator[tuple[str, str], None]:
        """(host name, address) to try one after the other; hosts without one leave their reason in `failures`."""
        count = 0
        for host in await self.hosts(domain):
            try:
                addresses = await self._addresses_of(host.name)
            except DnsError as error:
                status = "5.4.4" if error.permanent else error.status  # the host's name, not the recipient's
                failures.append(Outcome(status, str(error), host.name))
                continue
            for address in addresses:
                # Checked after the look-up, and this address is what is connected to.
                if not self.allow_private and not is_public(address):
                    text = f"{host.name} has an address that is not public: {address}"
                    failures.append(Outcome("5.4.4", text, host.name))
                    continue
                yield host.name, address
                count += 1
                if count == MAX_ADDRESSES:
                    return

    async def _addresses_of(self, name: str) -> list[str]:
        if name.startswith("["):  # RFC 5321 §4.1.3
            return [name.strip("[]").removeprefix("IPv6:")]
        return await self.resolver.addresses(name)
