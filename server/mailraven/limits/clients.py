"""Clients as limits see them: an IPv4 address, an IPv6 /64; and sets of networks that are quick to ask."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Generic, TypeVar

V = TypeVar("V")
Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


@lru_cache(4096)
def parse_ip(text: str) -> Address | None:
    """An address without its zone; one of IPv4 in the form of IPv6 (::ffff:192.0.2.1) is of IPv4."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


@lru_cache(4096)
def client_key(ip: str) -> str:
    """Whose events are counted together: hosts of IPv6 have a whole /64 to choose addresses from."""
    address = parse_ip(ip)
    if address is None:
        return ip[:64]
    return str(client_network(address)) if address.version == 6 else str(address)


def client_network(address: Address) -> Network:
    """What is banned when a client is."""
    return ip_network((address, 64 if address.version == 6 else 32), strict=False)


def parse_network(text: str) -> Network:
    """CIDR notation, host bits allowed; an address alone is a network of one. Raises ValueError."""
    network = ip_network(text.strip(), strict=False)
    if isinstance(network, IPv6Network) and network.prefixlen >= 96:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return IPv4Network((mapped, network.prefixlen - 96))
    return network


class NetworkMap(Generic[V]):
    """Networks with a value each. A look-up costs one step for each length of prefix in use, however many there are."""

    def __init__(self, items: Iterable[tuple[Network, V]] = ()) -> None:
        self._tables: dict[int, dict[int, dict[int, V]]] = {4: {}, 6: {}}
        self.count = 0
        for network, value in items:
            table = self._tables[network.version].setdefault(network.max_prefixlen - network.prefixlen, {})
            self.count += int(network.network_address) not in table
            table[int(network.network_address)] = value

    def find(self, ip: str) -> V | None:
        """The value of a network that the address is in, or None."""
        return next(self.matches(ip), None) if self.count else None

    def matches(self, ip: str) -> Iterator[V]:
        """The values of all networks that the address is in."""
        address = parse_ip(ip)
        if address is None:
            return
        number = int(address)
        for host_bits, table in self._tables[address.version].items():
            found = table.get(number >> host_bits << host_bits)
            if found is not None:
                yield found

    def __contains__(self, ip: str) -> bool:
        return self.find(ip) is not None


def network_set(texts: Iterable[str]) -> NetworkMap[Network]:
    """Those that are networks; the others were refused when they were set."""
    networks = []
    for text in texts:
        try:
            networks.append(parse_network(text))
        except ValueError:
            continue
    return NetworkMap((network, network) for network in networks)
