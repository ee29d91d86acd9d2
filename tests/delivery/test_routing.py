"""Which hosts are tried, in which order, and what happens when there is none (RFC 5321 §5.1, RFC 7505)."""

import pytest

from mailraven.testing.remote_server import DROP


async def test_best_mx_first(site):
    best = await site.remote("mx1.test")
    other = await site.remote("mx2.test")
    site.dns.add_zone("far.test", "@ MX 20 mx2.test.\n@ MX 10 mx1.test.")
    await site.start()
    await site.send("bob@far.test")
    row = await site.ends("delivered")
    assert (len(best.transactions), other.connections) == (1, 0)
    assert row["remote_mta"] == "mx1.test [127.0.0.1]"


@pytest.mark.parametrize(
    "script",
    [
        {"connect": b"421 4.3.2 too busy"},
        {"connect": b"554 5.3.2 no mail here"},
        {"connect": DROP},
        {"ehlo": b"421 4.3.2 too busy"},
        {"ehlo": DROP},
        {"mail": b"421 4.3.2 closing"},
        {"mail": DROP},
        {"rcpt": DROP},
        {"data": DROP},
    ],
    ids=lambda script: "-".join(f"{k}:{v[:3].decode() or 'drop'}" for k, v in script.items()),
)
async def test_next_mx_when_the_best_does_not_serve(site, script):
    bad = await site.remote("mx1.test", script=script)
    good = await site.remote("mx2.test")
    site.dns.add_zone("far.test", "@ MX 10 mx1.test.\n@ MX 20 mx2.test.")
    await site.start()
    await site.send("bob@far.test")
    await site.ends("delivered")
    assert bad.connections == 1
    assert len(good.transactions) == 1


async def test_answer_to_a_recipient_is_not_asked_of_the_next_mx(site):
    await site.remote("mx1.test", script={"rcpt": b"550 5.1.1 unknown"})
    other = await site.remote("mx2.test")
    site.dns.add_zone("far.test", "@ MX 10 mx1.test.\n@ MX 20 mx2.test.")
    await site.start()
    await site.send("bob@far.test")
    await site.ends("failed")
    assert other.connections == 0


async def test_refused_recipient_stays_refused_when_the_connection_breaks_afterwards(site):
    await site.remote("mx1.test", script={"rcpt": [b"550 5.1.1 unknown", DROP]})
    other = await site.remote("mx2.test")
    site.dns.add_zone("far.test", "@ MX 10 mx1.test.\n@ MX 20 mx2.test.")
    await site.start()
    await site.send("gone@far.test", "bob@far.test")
    await site.ends("delivered")
    assert await site.state("gone@far.test") == "failed"
    assert other.transactions[0].recipients == ["<bob@far.test>"]


async def test_next_address_of_one_host(site):
    bad = await site.remote(script={"connect": DROP})
    good = await site.remote()
    site.dns.add_zone("far.test", f"@ MX 10 mx\nmx A {bad.address}\nmx A {good.address}")
    await site.start()
    await site.send("bob@far.test")
    await site.ends("delivered")
    assert len(good.transactions) == 1


async def test_permanent_only_when_all_hosts_say_so(site):
    await site.remote("mx1.test", script={"connect": b"554 5.7.1 blocked"})
    await site.remote("mx2.test", script={"connect": b"421 4.3.2 busy"})
    site.dns.add_zone("far.test", "@ MX 10 mx1.test.\n@ MX 20 mx2.test.")
    site.dns.add_zone("near.test", "@ MX 10 mx1.test.")
    await site.start()
    await site.send("bob@far.test", "bob@near.test")
    assert (await site.ends("deferred", "bob@far.test"))["last_status"] == "4.3.2"
    assert (await site.ends("failed", "bob@near.test"))["last_status"] == "5.7.1"


async def test_host_of_mx_that_does_not_exist_is_passed_over(site):
    good = await site.remote("mx2.test")
    site.dns.add_zone("far.test", "@ MX 10 nothing\n@ MX 20 mx2.test.")
    await site.start()
    await site.send("bob@far.test")
    await site.ends("delivered")
    assert len(good.transactions) == 1


async def test_implicit_mx_and_alias(site):
    remote = await site.remote("host.test")
    site.dns.add_zone("far.test", "@ MX 10 host.test.\nmail CNAME host.test.")
    await site.start()
    await site.send("bob@mail.far.test")
    await site.ends("delivered", "bob@mail.far.test")
    assert len(remote.transactions) == 1


async def test_address_literal(site):
    remote = await site.remote()
    await site.start()
    await site.send("bob@[127.0.0.1]")
    await site.ends("delivered", "bob@[127.0.0.1]")
    assert remote.transactions[0].recipients == ["<bob@[127.0.0.1]>"]


@pytest.mark.parametrize(
    ("domain", "state", "status"),
    [
        ("nothing.void.test", "failed", "5.1.2"),
        ("null.void.test", "failed", "5.1.10"),
        ("noaddress.void.test", "failed", "5.4.4"),
        ("nohosts.void.test", "failed", "5.4.4"),
        ("self.void.test", "failed", "5.4.6"),
        ("broken.void.test", "deferred", "4.4.3"),
        ("brokenhost.void.test", "deferred", "4.4.3"),
    ],
)
async def test_domain_without_route(site, domain: str, state: str, status: str):
    await site.remote("mail.ours.test")
    site.dns.add_zone(
        "void.test",
        "null MX 0 .\nnoaddress TXT x\nnohosts MX 5 a\nself MX 5 mail.ours.test.\nself MX 9 mx.test.\n"
        "brokenhost MX 5 broken",
    )
    site.dns.failing.add("broken.void.test")
    await site.start()
    await site.send(f"bob@{domain}")
    row = await site.ends(state, f"bob@{domain}")
    assert row["last_status"] == status


async def test_better_hosts_than_ourselves_are_used(site):
    """RFC 5321 §5.1: as a backup MX we only hand on to better ones."""
    remote = await site.remote("mx1.test")
    worse = await site.remote("mx3.test")
    site.dns.add_zone("far.test", "@ MX 5 mx1.test.\n@ MX 10 mail.ours.test.\n@ MX 20 mx3.test.")
    await site.start()
    await site.send("bob@far.test")
    await site.ends("delivered")
    assert (len(remote.transactions), worse.connections) == (1, 0)


async def test_addresses_that_are_not_public_are_refused(site):
    remote = await site.far()
    await site.start(allow_private_destinations=False)
    await site.send("bob@far.test", "bob@[127.0.0.1]")
    for recipient in ("bob@far.test", "bob@[127.0.0.1]"):
        row = await site.ends("failed", recipient)
        assert row["last_status"] == "5.4.4"
        assert "not public" in row["last_reply"]
    assert remote.connections == 0


async def test_one_bad_destination_does_not_hold_up_others(site):
    bad = await site.remote("bad.test", script={"connect": None})
    good = await site.remote("good.test")
    await site.start(concurrency=5, concurrency_per_domain=2)
    for n in range(20):
        await site.send(f"u{n}@bad.test")
    await site.send("bob@good.test")
    await site.ends("delivered", "bob@good.test")
    assert bad.most_open == 2
    assert len(good.transactions) == 1


async def test_connections_at_a_time_are_limited(site):
    remotes = [await site.remote(f"d{n}.test", script={"connect": None}) for n in range(4)]
    await site.start(concurrency=3, command_timeout=0.3)
    for n in range(4):
        await site.send(f"bob@d{n}.test")
    for n in range(4):
        await site.ends("deferred", f"bob@d{n}.test")
    assert sum(remote.connections for remote in remotes) == 4
