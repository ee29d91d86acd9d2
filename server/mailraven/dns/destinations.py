"""Which addresses mail may be sent to. Pure (RFC 6890 and the IANA special-purpose registries).

The tables are ours: what Python's ipaddress calls global differs between its releases.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

# Pods and services of a cluster have addresses of these too (RFC 1918, RFC 6598, RFC 4193).
_NOT_PUBLIC_4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # RFC 791 §3.2
            "10.0.0.0/8",  # RFC 1918
            "100.64.0.0/10",  # RFC 6598
            "127.0.0.0/8",  # RFC 1122 §3.2.1.3
            "169.254.0.0/16",  # RFC 3927; the metadata services of clouds
            "172.16.0.0/12",  # RFC 1918
            "192.0.0.0/24",  # RFC 6890 §2.1
            "192.0.2.0/24",  # RFC 5737
            "192.88.99.0/24",  # RFC 7526
            "192.168.0.0/16",  # RFC 1918
            "198.18.0.0/15",  # RFC 2544
            "198.51.100.0/24",  # RFC 5737
            "203.0.113.0/24",  # RFC 5737
            "224.0.0.0/3",  # multicast RFC 5771, reserved RFC 1112 §4, broadcast RFC 919 §7
        ),
    )
)
_GLOBAL_UNICAST_6 = IPv6Network("2000::/3")  # RFC 4291 §2.4: nothing else is given to hosts of the internet
_NOT_PUBLIC_6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # RFC 2928, with Teredo RFC 4380
            "2001:db8::/32",  # RFC 3849
            "3fff::/20",  # RFC 9637
        ),
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052 §2.1


def is_public(address: str) -> bool:
    """Neither loopback, link-local, private, shared, reserved nor multicast, also inside of an IPv6 transition form."""
    ip = ip_address(address)
    if isinstance(ip, IPv6Address):
        embedded = _embedded(ip)
        if embedded is None:
            return ip in _GLOBAL_UNICAST_6 and not any(ip in network for network in _NOT_PUBLIC_6)
        ip = embedded
    return not any(ip in network for network in _NOT_PUBLIC_4)


def _embedded(ip: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a mapped, 6to4 or NAT64 address leads to."""
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour
