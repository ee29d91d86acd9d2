"""One form for each address, and networks that are asked fast."""

import ipaddress

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mailraven.net.addresses import Networks, normalized


@pytest.mark.parametrize(
    ("given_form", "one_form"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:c000:201", "192.0.2.1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("no address", "no address"),
        ("", ""),
        ("no:address", "no:address"),
    ],
)
def test_each_address_has_one_form(given_form: str, one_form: str) -> None:
    assert normalized(given_form) == one_form


def test_an_address_is_in_its_networks_in_whatever_form() -> None:
    networks = Networks(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::1", "::ffff:172.16.0.0/108"])
    for ip in ("10.255.0.1", "::ffff:10.0.0.1", "192.0.2.7", "2001:DB8:ffff::1", "::1", "172.31.255.255"):
        assert ip in networks, ip
    for ip in ("11.0.0.1", "192.0.2.8", "2001:db9::", "::2", "172.32.0.0", "", "x", "10.0.0.1\0", "\ud800::", "10.1"):
        assert ip not in networks, ip
    assert networks
    assert not Networks()


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/33", "example.org", "", "10.0.0.0/8/8", "::/129"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"does not appear|has host bits"):
        Networks([text])


pairs = st.one_of(
    st.tuples(st.ip_addresses(v=4), st.integers(0, 32), st.ip_addresses(v=4)),
    st.tuples(st.ip_addresses(v=6), st.integers(0, 128), st.ip_addresses(v=6)),
)


@given(st.lists(pairs, min_size=1, max_size=5))
def test_the_answer_is_that_of_the_standard_library(
    found: list[tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int, ipaddress.IPv4Address]],
) -> None:
    nets = [ipaddress.ip_network((ip, length), strict=False) for ip, length, _ in found]
    networks = Networks([str(net) for net in nets])
    # An IPv4-mapped address is IPv4, a network of them IPv4's: the library has them apart.
    assume(not any(isinstance(ip, ipaddress.IPv6Address) and int(ip) >> 48 == 0 for one in found for ip in one))
    for ip, _, other in found:
        assert str(ip) in networks
        expected = any(other in net for net in nets if net.version == other.version)
        assert (str(other) in networks) == expected
