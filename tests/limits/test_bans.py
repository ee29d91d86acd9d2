"""Bans: from violations, longer for repeaters, obeyed by all processes, never of who is exempt."""

from __future__ import annotations

import asyncio
import datetime as dt

import pytest
from structlog.testing import capture_logs

from mailraven.limits import bans
from mailraven.limits.clients import parse_network
from mailraven_api.settings import BanSettings, LimitSettings

IP = "192.0.2.7"


async def offend(process, ip: str, times: int = 5) -> None:
    for _ in range(times):
        await process.gate._offences.count(ip, "exceeded a limit", request_id="abc")


async def ban(process, network: str, until: dt.datetime | None = None) -> None:
    async with process.database.transaction() as connection:
        await bans.set_ban(connection, parse_network(network), "by hand", "admin@example.org", until)


async def test_five_violations_ban_for_an_hour(process) -> None:
    await offend(process, IP, 4)
    assert process.gate.banned(IP) is None
    with capture_logs() as logs:
        await offend(process, IP, 1)
    found = process.gate.banned(IP)
    assert found is not None
    assert found.until is not None
    assert dt.timedelta(minutes=59) < found.until - dt.datetime.now(dt.UTC) <= dt.timedelta(minutes=60, seconds=5)
    (line,) = [one for one in logs if one["event"] == "ip_banned"]
    assert (line["ip"], line["offences"], line["log_level"]) == (IP, 1, "warning")
    audited = "SELECT count(*) FROM audit WHERE action = 'ban.create' AND actor = 'system' AND target = '192.0.2.7/32'"
    assert await process.fetchval(audited) == 1
    assert process.gate.banned("192.0.2.8") is None


async def test_the_connections_of_the_example_end_in_a_ban(process) -> None:
    decisions = [await process.gate.connection(IP, "smtp") for _ in range(56)]
    assert [one.allowed for one in decisions[:50]] == [True] * 50
    assert not any(one.allowed for one in decisions[50:])
    assert [one.ban is None for one in decisions[50:]] == [True] * 5 + [False]


async def test_violations_count_over_processes(start) -> None:
    processes = [await start() for _ in range(3)]
    for number in range(4):
        await offend(processes[number % 3], IP, 1)
    assert not any(one.gate.banned(IP) for one in processes)
    await offend(processes[1], IP, 1)
    assert processes[1].gate.banned(IP)


async def test_all_processes_obey_within_two_seconds(start) -> None:
    first, second = await start(), await start()
    heard = asyncio.Event()
    second.gate.on_ban(heard.set)
    await offend(first, IP)
    await asyncio.wait_for(heard.wait(), 2.0)
    assert second.gate.banned(IP)
    heard.clear()
    await first.execute("DELETE FROM ban")  # also what is done at the database
    await asyncio.wait_for(heard.wait(), 2.0)
    assert second.gate.banned(IP) is None


async def test_also_when_the_notification_is_lost(start, eventually) -> None:
    first, deaf = await start(), await start()
    await deaf.database.listener.close()
    await ban(first, IP)
    await eventually(lambda: deaf.gate.banned(IP) is not None, 2.0)


async def test_a_repeater_is_banned_for_longer(process) -> None:
    lengths = []
    for _ in range(6):
        await offend(process, IP)
        found = process.gate.banned(IP)
        lengths.append(round((found.until - found.created_at).total_seconds() / 60))
        await process.execute("UPDATE ban SET until = now() - interval '1 minute'")
        await process.gate.bans.refresh(surely=True)
        assert process.gate.banned(IP) is None
    assert lengths == [60, 240, 960, 3840, 15_360, 43_200]


async def test_two_processes_at_once_ban_once(start) -> None:
    processes = [await start() for _ in range(3)]
    await asyncio.gather(*(offend(one, IP, 10) for one in processes))
    assert await processes[0].fetchval("SELECT offences FROM ban") == 1
    assert await processes[0].fetchval("SELECT count(*) FROM audit WHERE action = 'ban.create'") == 1


async def test_an_ipv6_client_is_banned_with_its_64(process) -> None:
    await offend(process, "2001:db8::1", 2)
    await offend(process, "2001:db8::2", 3)
    assert process.gate.banned("2001:db8::ffff")
    assert process.gate.banned("2001:db8:0:1::1") is None


async def test_an_exempt_network_beats_every_ban(start) -> None:
    process = await start(trusted_networks=["198.51.100.0/24"])
    await ban(process, "0.0.0.0/0")
    await process.gate.bans.refresh()
    assert process.gate.banned(IP)
    assert process.gate.banned("127.0.0.1") is None
    assert process.gate.banned("198.51.100.200") is None
    await process.set("limits", LimitSettings(exempt_networks=("192.0.2.0/24",)))
    assert process.gate.banned(IP) is None
    assert process.gate.banned("127.0.0.1")


async def test_a_ban_ends_by_itself(dsn: str, start) -> None:
    now = [0.0]
    process = await start(clock=lambda: now[0])
    await ban(process, IP, dt.datetime.now(dt.UTC) + dt.timedelta(minutes=10))
    await ban(process, "192.0.2.0/24", dt.datetime.now(dt.UTC) + dt.timedelta(minutes=20))
    await process.gate.bans.refresh()
    assert process.gate.banned(IP).network == "192.0.2.7/32"
    now[0] = 650.0
    assert process.gate.banned(IP).network == "192.0.2.0/24"
    now[0] = 1250.0
    assert process.gate.banned(IP) is None


async def test_bans_stay_as_known_while_postgres_is_away(process) -> None:
    await ban(process, IP)
    await process.gate.bans.refresh()
    await process.database.close()
    assert process.gate.banned(IP)
    assert not (await process.gate.connection(IP, "smtp")).allowed


async def test_bans_can_be_switched_off(process) -> None:
    await process.set("bans", BanSettings(enabled=False))
    await offend(process, IP, 20)
    assert process.gate.banned(IP) is None


async def test_offences_of_long_ago_are_forgotten(process) -> None:
    await offend(process, IP)
    await process.execute("UPDATE ban SET until = now() - interval '91 days'")
    await process.gate._clean()
    assert await process.fetchval("SELECT count(*) FROM ban") == 0


@pytest.mark.parametrize("network", ["192.0.2.0/24", "2001:db8::/32"])
async def test_bans_are_listed_and_lifted(process, network: str) -> None:
    await ban(process, network)
    async with process.database.acquire() as connection:
        (found,) = await bans.list_bans(connection, after=None, past=False, limit=10)
        assert (found.network, found.reason, found.created_by) == (network, "by hand", "admin@example.org")
        assert await bans.list_bans(connection, after=network, past=False, limit=10) == []
        assert await bans.lift_ban(connection, parse_network(network))
        assert not await bans.lift_ban(connection, parse_network(network))
