"""The resolver against a real DNS server on loopback, over UDP and TCP."""

import random
from collections.abc import AsyncIterator

import pytest

from mailraven.dns import LookupFailed, MailHost, NameNotFound, NoAddress, NullMx, Resolver
from mailraven.testing.dns_server import DnsServer

ZONE = """
@       MX 20 mx2
@       MX 10 mx1
mx1     A 192.0.2.1
mx1     AAAA 2001:db8::1
mx2     A 192.0.2.2
null    MX 0 .
mixed   MX 0 .
mixed   MX 10 mx1
plain   A 192.0.2.3
alias   CNAME @
hosta   CNAME mx1
loop    CNAME loop2
loop2   CNAME loop
six     AAAA 2001:db8::6
text    TXT "no address"
UPPER   MX 5 MX1
a.below A 192.0.2.4
"""


@pytest.fixture
async def server() -> AsyncIterator[DnsServer]:
    async with DnsServer({"far.test": ZONE}) as running:
        yield running


@pytest.fixture
def resolver(server: DnsServer) -> Resolver:
    return Resolver([server.endpoint], timeout=1.0)


async def test_mx_by_preference(resolver: Resolver):
    assert await resolver.mx("far.test") == [MailHost(10, "mx1.far.test"), MailHost(20, "mx2.far.test")]


async def test_mx_names_are_lower_case_without_dot(resolver: Resolver):
    assert await resolver.mx("upper.far.test") == [MailHost(5, "mx1.far.test")]


async def test_hosts_of_one_preference_are_shuffled(server: DnsServer):
    """RFC 5321 §5.1: the sender MUST randomize them."""
    server.add_zone("even.test", "\n".join(f"@ MX 10 mx{n}" for n in range(8)))
    resolver = Resolver([server.endpoint], rng=random.Random(1))
    orders = {tuple(host.name for host in await resolver.mx("even.test")) for _ in range(10)}
    assert len(orders) > 5


async def test_implicit_mx(resolver: Resolver):
    assert await resolver.mx("plain.far.test") == [MailHost(0, "plain.far.test")]
    assert await resolver.addresses("plain.far.test") == ["192.0.2.3"]


async def test_name_that_only_has_names_below_it_exists(resolver: Resolver):
    assert await resolver.mx("below.far.test") == [MailHost(0, "below.far.test")]
    with pytest.raises(NoAddress):
        await resolver.addresses("below.far.test")


async def test_null_mx(resolver: Resolver):
    with pytest.raises(NullMx) as caught:
        await resolver.mx("null.far.test")
    assert (caught.value.status, caught.value.permanent) == ("5.1.10", True)


async def test_null_mx_beside_others_is_passed_over(resolver: Resolver):
    assert await resolver.mx("mixed.far.test") == [MailHost(10, "mx1.far.test")]


async def test_domain_that_is_an_alias(resolver: Resolver):
    assert [host.name for host in await resolver.mx("alias.far.test")] == ["mx1.far.test", "mx2.far.test"]


async def test_host_that_is_an_alias(resolver: Resolver):
    assert await resolver.addresses("hosta.far.test") == ["192.0.2.1", "2001:db8::1"]


async def test_loop_of_aliases_ends(resolver: Resolver):
    with pytest.raises(LookupFailed):
        await resolver.mx("loop.far.test")


async def test_host_with_ipv6_only(resolver: Resolver):
    assert await resolver.addresses("six.far.test") == ["2001:db8::6"]


async def test_host_without_address_is_permanent(resolver: Resolver):
    with pytest.raises(NoAddress) as caught:
        await resolver.addresses("text.far.test")
    assert caught.value.status == "5.4.4"


@pytest.mark.parametrize("domain", ["nothing.far.test", "a" * 64 + ".test", "a..test", "x." * 130 + "test"])
async def test_name_that_does_not_exist_is_permanent(resolver: Resolver, domain: str):
    with pytest.raises(NameNotFound) as caught:
        await resolver.mx(domain)
    assert (caught.value.status, caught.value.permanent) == ("5.1.2", True)


async def test_servfail_is_temporary(server: DnsServer, resolver: Resolver):
    server.failing.add("far.test")
    with pytest.raises(LookupFailed) as caught:
        await resolver.mx("far.test")
    assert (caught.value.status, caught.value.permanent) == ("4.4.3", False)


async def test_silence_is_temporary(server: DnsServer):
    server.silent.add("far.test")
    with pytest.raises(LookupFailed):
        await Resolver([server.endpoint], timeout=0.2).mx("far.test")


async def test_no_server_is_temporary():
    async with DnsServer() as gone:
        endpoint = gone.endpoint
    with pytest.raises(LookupFailed):
        await Resolver([endpoint], timeout=0.5).mx("far.test")


async def test_one_family_failing_does_not_hide_the_other(server: DnsServer, resolver: Resolver):
    server.add_zone("dual.test", "mx A 192.0.2.9")
    assert await resolver.addresses("mx.dual.test") == ["192.0.2.9"]


async def test_long_answer_comes_over_tcp(server: DnsServer, resolver: Resolver):
    server.add_zone("many.test", "\n".join(f"@ MX 10 a-rather-long-name-of-a-host-{n:03}" for n in range(100)))
    assert len(await resolver.mx("many.test")) == 100
    assert server.asked["many.test", "MX", "tcp"] == 1


async def test_resolver_given_by_name(server: DnsServer):
    resolver = Resolver([f"localhost:{server.port}"], timeout=1.0)
    assert await resolver.addresses("mx2.far.test") == ["192.0.2.2"]


async def test_answers_are_cached_for_their_ttl(server: DnsServer, resolver: Resolver):
    server.add_zone("cached.test", "@ 60 MX 10 mx")
    for _ in range(3):
        await resolver.mx("cached.test")
    assert server.asked["cached.test", "MX", "udp"] == 1
