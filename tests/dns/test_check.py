"""The check against a real DNS server: every state of every record, and bounded time."""

import time
from collections.abc import AsyncIterator

import pytest

from mailraven.dns import Finding, PublishedKey, Resolver, check_records, domain_records
from mailraven.testing.dns_server import DnsServer

HOST = "mx.far.test"
KEY = PublishedKey("mr202611a", "rsa", "QUJD" * 100)
RECORDS = domain_records("example.test", HOST, [KEY])
GOOD = {
    "mx": "@ MX 10 mx.far.test.",
    "spf": '@ TXT "v=spf1 mx -all"',
    "dkim": f'mr202611a._domainkey TXT "v=DKIM1; k=rsa; p={"QUJD" * 30} " "{"QUJD" * 40}" "{"QUJD" * 30}"',
    "dmarc": '_dmarc TXT "v=DMARC1; p=quarantine; rua=mailto:postmaster@example.test"',
    "submissions": "_submissions._tcp SRV 0 1 465 mx.far.test.",
    "submission": "_submission._tcp SRV 10 1 587 MX.far.test.",
    "imap": "_imaps._tcp SRV 0 1 993 mx.far.test.",
}
FAR = "mx A 9.9.9.9\nmx AAAA 2620:fe::9\nalias CNAME mx\nother A 9.9.9.10"
REVERSE_4 = "9.9.9.9 PTR mx.far.test."
REVERSE_6 = "9.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.e.f.0.0.0.2.6.2 PTR mx.far.test."


@pytest.fixture
async def server() -> AsyncIterator[DnsServer]:
    async with DnsServer({"far.test": FAR, "in-addr.arpa": REVERSE_4, "ip6.arpa": REVERSE_6}) as running:
        yield running


def zone(server: DnsServer, **changed: str) -> None:
    server.add_zone("example.test", "\n".join((GOOD | changed).values()))


async def check(server: DnsServer, *, timeout: float = 10.0, wait: float = 1.0, host: str = HOST) -> list[Finding]:
    return await check_records(Resolver([server.endpoint], timeout=wait), RECORDS, host, timeout=timeout)


def about(findings: list[Finding], purpose: str) -> Finding:
    return next(finding for finding in findings if finding.purpose == purpose)


async def test_all_is_there(server: DnsServer) -> None:
    zone(server)
    findings = await check(server)
    assert [(f.purpose, f.state, f.detail) for f in findings] == [
        *((record.purpose, "ok", "") for record in RECORDS),
        ("host", "ok", ""),
        ("reverse", "ok", ""),
        ("reverse", "ok", ""),
    ]
    assert about(findings, "host").found == ("9.9.9.9", "2620:fe::9")
    assert about(findings, "mx").found == ("10 mx.far.test",)


@pytest.mark.parametrize(
    ("purpose", "text", "state", "detail"),
    [
        ("mx", "", "missing", "no way to this server"),
        ("mx", "@ MX 0 .", "differs", "null MX"),
        ("mx", "@ MX 10 other.far.test.", "differs", "another server"),
        ("mx", "@ MX 5 other.far.test.\n@ MX 10 mx.far.test.", "ok", "another host comes first: 5 other.far.test"),
        ("mx", "@ MX 10 mx.far.test.\n@ MX 20 other.far.test.", "ok", ""),
        ("spf", "", "missing", "forger"),
        ("spf", '@ TXT "v=spf1 mx -all"\n@ TXT "v=spf1 a -all"', "differs", "more than one SPF record"),
        ("spf", '@ TXT "google-site-verification=x"\n@ TXT "v=spf1 ip4:9.9.9.0/24 mx ~all"', "ok", ""),
        ("spf", '@ TXT "v=spf1 a:mx.far.test -all"', "ok", ""),
        ("spf", '@ TXT "v=spf1 include:spf.other.test -all"', "differs", "no mechanism mx"),
        ("spf", '@ TXT "v=spf1 mx +all"', "differs", "everybody"),
        ("spf", '@ TXT "v=spf1 mx ?all"', "ok", "-all"),
        ("spf", '@ TXT "v=spf10 mx -all"', "missing", ""),
        ("dkim", "", "missing", "cannot be verified"),
        ("dkim", 'mr202611a._domainkey TXT "v=DKIM1; k=rsa; p=QUJE"', "differs", "another key"),
        ("dkim", 'mr202611a._domainkey TXT "v=DKIM1; p="', "differs", "revoked"),
        ("dkim", 'mr202611a._domainkey TXT "hello"', "differs", "not a DKIM key record"),
        ("dkim", 'mr202611a._domainkey TXT "p=QUJE"\nmr202611a._domainkey TXT "p=QUJD"', "differs", "more than one"),
        ("dmarc", "", "missing", "forged mail"),
        ("dmarc", '_dmarc TXT "v=DMARC1; p=none"', "differs", "p=none does not protect"),
        ("dmarc", '_dmarc TXT "v=DMARC1; p=reject; rua=mailto:x@y.test"', "ok", ""),
        ("dmarc", '_dmarc TXT "v=DMARC1; p=reject"\n_dmarc TXT "v=DMARC1; p=none"', "differs", "more than one"),
        ("imap", "", "missing", "RFC 6186"),
        ("imap", "_imaps._tcp SRV 0 1 1993 mx.far.test.", "differs", "mx.far.test, port 993"),
    ],
)
async def test_what_is_wrong_is_said(server: DnsServer, purpose: str, text: str, state: str, detail: str) -> None:
    zone(server, **{purpose: text})
    findings = await check(server)
    found = about(findings, purpose)
    assert found.state == state
    assert detail in found.detail
    others = [f for f in findings if f.purpose != purpose and f.state != "ok"]
    assert others == []


async def test_a_host_that_is_an_alias(server: DnsServer) -> None:
    zone(server, mx="@ MX 10 alias.far.test.")
    resolver = Resolver([server.endpoint], timeout=1.0)
    records = domain_records("example.test", "alias.far.test")
    findings = await check_records(resolver, records, "alias.far.test")
    assert about(findings, "mx").state == "differs"
    assert "alias.far.test is an alias (CNAME) of mx.far.test" in about(findings, "mx").detail


@pytest.mark.parametrize(
    ("reverse", "state", "detail"),
    [
        ("", "missing", "9.9.9.9 has no name"),
        ("9.9.9.9 PTR other.far.test.", "differs", "no name of 9.9.9.9 leads back"),
        ("9.9.9.9 PTR nothing.far.test.", "differs", "no name of 9.9.9.9 leads back"),
        ("9.9.9.9 PTR alias.far.test.", "differs", "9.9.9.9 is called alias.far.test"),
    ],
)
async def test_reverse_names(server: DnsServer, reverse: str, state: str, detail: str) -> None:
    zone(server)
    server.add_zone("in-addr.arpa", reverse)
    found = about(await check(server), "reverse")
    assert (found.state, found.required) == (state, False)
    assert detail in found.detail


async def test_a_host_without_address_or_with_private_ones(server: DnsServer) -> None:
    zone(server)
    server.add_zone("far.test", "other A 9.9.9.9")
    assert about(await check(server), "host").state == "missing"
    server.add_zone("far.test", "mx A 10.0.0.1")
    found = about(await check(server), "host")
    assert (found.state, found.detail) == ("differs", "not reachable from the internet: 10.0.0.1")


async def test_a_server_that_fails_is_an_error_of_those_records_only(server: DnsServer) -> None:
    zone(server)
    server.failing = {"_dmarc.example.test", "far.test"}
    findings = await check(server)
    states = {finding.purpose: finding.state for finding in findings}
    assert states == {
        "mx": "error",  # whether the host is an alias
        "spf": "ok",
        "dkim": "ok",
        "dmarc": "error",
        "submission": "ok",
        "imap": "ok",
        "host": "error",
    }
    assert "server failure" in about(findings, "dmarc").detail


async def test_silence_ends_in_time(server: DnsServer) -> None:
    zone(server)
    server.silent = {"_dmarc.example.test", "far.test"}
    begin = time.monotonic()
    findings = await check(server, timeout=0.5, wait=30)
    assert time.monotonic() - begin < 5
    assert about(findings, "dmarc").detail == "no answer in time"
    assert about(findings, "host").state == "error"
    assert about(findings, "spf").state == "ok"


async def test_hostile_answers_are_cut(server: DnsServer) -> None:
    texts = "\n".join(f'@ TXT "v=spf1 {number} {"x" * 200}" "{"y" * 200}"' for number in range(100))
    zone(server, spf=texts)
    found = about(await check(server), "spf")
    assert found.state == "differs"
    assert len(found.found) == 20
