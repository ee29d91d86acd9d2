"""Addresses as limits see them, and sets of networks."""

from __future__ import annotations

import random
from ipaddress import ip_address, ip_network

import pytest

from mailraven.limits.clients import NetworkMap, client_key, client_network, network_set, parse_ip, parse_network


@pytest.mark.parametrize(
    ("ip", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("not an address", "not an address"),
    ],
)
def test_hosts_of_ipv6_are_counted_by_their_64(ip: str, key: str) -> None:
    assert client_key(ip) == key


def test_what_is_banned_is_what_is_counted() -> None:
    for ip in ("192.0.2.1", "2001:db8::1"):
        address = parse_ip(ip)
        assert address is not None
        assert ip in NetworkMap([(client_network(address), 1)])
    assert "2001:db8::ffff" in network_set(["2001:db8::/64"])
    assert "2001:db8:0:1::1" not in network_set(["2001:db8::/64"])


def test_mapped_networks_are_of_ipv4() -> None:
    assert "192.0.2.9" in network_set(["::ffff:192.0.2.0/120"])
    assert str(parse_network("10.1.2.3/8")) == "10.0.0.0/8"
    with pytest.raises(ValueError):
        parse_network("10.0.0.0/33")


def test_it_finds_what_a_plain_search_finds() -> None:
    rng = random.Random(7)
    networks = [ip_network((rng.getrandbits(32), rng.randrange(33)), strict=False) for _ in range(50)]
    networks += [ip_network((rng.getrandbits(128), rng.randrange(129)), strict=False) for _ in range(50)]
    table = NetworkMap((network, network) for network in networks)
    for _ in range(300):
        address = ip_address(rng.getrandbits(32)) if rng.random() < 0.5 else ip_address(rng.getrandbits(128))
        expected = {one for one in networks if one.version == address.version and address in one}
        if getattr(address, "ipv4_mapped", None) is None:
            assert set(table.matches(str(address))) == expected


def test_nothing_is_in_no_network() -> None:
    assert "192.0.2.1" not in network_set([])
    assert "rubbish" not in network_set(["0.0.0.0/0"])
    assert "192.0.2.1" not in network_set(["rubbish", "::/0"])
