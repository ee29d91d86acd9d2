"""IP addresses as text: one form for each, and sets of networks that are parsed once."""

import socket
from collections.abc import Iterable
from ipaddress import IPv6Network, ip_network

_MAPPED = b"\x00" * 10 + b"\xff\xff"  # RFC 4291 §2.5.5.2
_MAPPED_BITS = 96


class Networks:
    """Networks in CIDR form; `"192.0.2.1" in networks` costs about a microsecond however many there are."""

    __slots__ = ("_by_shift4", "_by_shift6", "texts")

    def __init__(self, texts: Iterable[str] = ()) -> None:
        """Raises ValueError for a text that is no network, or has bits set behind its prefix."""
        self.texts = tuple(texts)
        by_shift4: dict[int, set[int]] = {}
        by_shift6: dict[int, set[int]] = {}
        for text in self.texts:
            network = ip_network(text.strip())
            first, bits, by_shift = int(network.network_address), network.max_prefixlen, by_shift4
            length = network.prefixlen
            if isinstance(network, IPv6Network):
                if network.network_address.ipv4_mapped is not None and length >= _MAPPED_BITS:
                    first, bits, length = first & 0xFFFFFFFF, 32, length - _MAPPED_BITS
                else:
                    by_shift = by_shift6
            by_shift.setdefault(bits - length, set()).add(first >> (bits - length))
        # The longest prefixes come first: single hosts are the usual question.
        self._by_shift4 = tuple(sorted(by_shift4.items()))
        self._by_shift6 = tuple(sorted(by_shift6.items()))

    def __contains__(self, ip: object) -> bool:
        packed = packed_address(ip) if isinstance(ip, str) else None
        if packed is None:
            return False
        number = int.from_bytes(packed)
        by_shift = self._by_shift4 if len(packed) == 4 else self._by_shift6
        return any(number >> shift in networks for shift, networks in by_shift)

    def __bool__(self) -> bool:
        return bool(self.texts)

    def __repr__(self) -> str:
        return f"Networks({list(self.texts)!r})"


def packed_address(ip: str) -> bytes | None:
    """4 or 16 octets; IPv4-mapped IPv6 is IPv4, a zone does not count; None: no address."""
    try:
        if ":" not in ip:
            return socket.inet_pton(socket.AF_INET, ip)
        packed = socket.inet_pton(socket.AF_INET6, ip.partition("%")[0])
    except (OSError, ValueError):
        return None
    return packed[12:] if packed.startswith(_MAPPED) else packed


def normalized(ip: str) -> str:
    """The one form of an address that logs, limits and bans use; what is no address stays as it is."""
    if ":" not in ip:
        return ip
    packed = packed_address(ip)
    return ip if packed is None else text_of(packed)


def text_of(packed: bytes) -> str:
    """The text of 4 or 16 octets in network order, in its one form."""
    if len(packed) == 16 and packed.startswith(_MAPPED):
        packed = packed[12:]
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)
