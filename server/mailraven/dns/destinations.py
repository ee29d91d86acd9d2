"""Which addresses mail may be sent to. Pure (RFC 6890 and the IANA special-purpose registries)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052 §2.1
_NAT64_LOCAL = IPv6Network("64:ff9b:1::/48")  # RFC 8215
_SITE_LOCAL = IPv6Network("fec0::/10")  # RFC 3879
_IPV4_COMPATIBLE = IPv6Network("::/96")  # RFC 4291 §2.5.5.1


def is_public(address: str) -> bool:
    """Neither loopback, link-local, private, shared, reserved nor multicast, also inside of an IPv6 transition form.

    Addresses of pods and services lie in private or shared ranges (RFC 1918, 4193, 6598).
    """
    ip = ip_address(address)
    if isinstance(ip, IPv6Address):
        if ip.scope_id is not None or ip in _NAT64_LOCAL or ip in _SITE_LOCAL or ip in _IPV4_COMPATIBLE:
            return False
        embedded = _embedded(ip)
        if embedded is not None:
            return is_public(str(embedded))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _embedded(ip: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a mapped, 6to4, Teredo or NAT64 address leads to."""
    if ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    if ip.sixtofour is not None:
        return ip.sixtofour
    if ip.teredo is not None:
        return ip.teredo[1]
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return None
