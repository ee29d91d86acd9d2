"""Connections, messages and API requests at the gate: whose limit holds, how it is told, what it leads to."""

from __future__ import annotations

import asyncio
import json

import pytest
from structlog.testing import capture_logs

from mailraven.limits import policies
from mailraven_api.limits import DomainLimits
from mailraven_api.policy import RateLimitPolicySpec
from mailraven_api.settings import BanSettings, LimitSettings

IP = "192.0.2.7"
NO_BANS = BanSettings(enabled=False)


def template(**limits: object) -> str:
    return json.dumps({"limits": limits})


async def set_template(process, **limits: object) -> None:
    DomainLimits.model_validate(limits)
    await process.execute("UPDATE domain_template SET spec = $1 WHERE name = '_default'", template(**limits))
    process.gate.rules.forget()


async def put(process, name: str, **spec: object) -> None:
    async with process.database.transaction() as connection:
        await policies.put_policy(connection, name, RateLimitPolicySpec.model_validate(spec))
    process.gate.rules.forget()


async def test_the_51st_connection_of_an_hour_is_refused(start) -> None:
    processes = [await start() for _ in range(2)]
    decisions = [await processes[number % 2].gate.connection(IP, "smtp") for number in range(50)]
    for process in processes:
        await process.gate.counters.give_back(0)
    decisions += [await processes[0].gate.connection(IP, "smtp") for _ in range(60 - len(decisions))]
    assert sum(one.allowed for one in decisions) == 50
    refused = await processes[1].gate.connection("192.0.2.8", "smtp")
    assert refused.allowed
    assert not decisions[-1].allowed


async def test_a_refusal_says_which_limit_and_when_it_ends(process) -> None:
    await set_template(process, smtp_connections_per_ip={"count": 1, "window": "hour"})
    assert (await process.gate.connection(IP, "smtp")).allowed
    with capture_logs() as logs:
        refused = await process.gate.connection(IP, "smtp", request_id="abc")
    assert refused.text == (
        "The limit of 1 connections in 60 minutes from one address is reached, try again in 60 minutes"
    )
    (line,) = [one for one in logs if one["event"] == "rate_limit_exceeded"]
    assert line["ip"] == IP
    assert line["counted"] == "smtp_connections"
    assert line["request_id"] == "abc"
    assert line["log_level"] == "warning"


async def test_hosts_of_a_64_are_one_client(process) -> None:
    await set_template(process, smtp_connections_per_ip={"count": 2, "window": "hour"})
    decisions = [await process.gate.connection(f"2001:db8::{number:x}", "smtp") for number in range(1, 4)]
    assert [one.allowed for one in decisions] == [True, True, False]
    assert (await process.gate.connection("2001:db8:0:1::1", "smtp")).allowed


async def test_imap_connections_are_not_counted(process) -> None:
    await set_template(process, smtp_connections_per_ip={"count": 1, "window": "hour"})
    assert all([(await process.gate.connection(IP, "imap")).allowed for _ in range(5)])


async def test_exempt_networks_and_trusted_proxies_are_not_counted(start) -> None:
    process = await start(trusted_networks=["198.51.100.0/24"])
    await set_template(process, smtp_connections_per_ip={"count": 1, "window": "hour"})
    await process.set("limits", LimitSettings(exempt_networks=("203.0.113.0/24",)))
    for ip in ("203.0.113.5", "198.51.100.9"):
        assert all([(await process.gate.connection(ip, "smtp")).allowed for _ in range(5)])
    # 127.0.0.1 was exempt by default, and is not any more
    assert [(await process.gate.connection("127.0.0.1", "smtp")).allowed for _ in range(2)] == [True, False]


async def test_messages_of_an_account_over_two_processes(start) -> None:
    first, second = await start(), await start()
    account = await first.account()
    sent = await asyncio.gather(
        *(one.gate.message(IP, account, None, "jane@example.org", 1) for one in (first, second) for _ in range(70))
    )
    allowed = sum(one.allowed for one in sent)
    for process in (first, second):  # what one of them holds and does not use goes back
        await process.gate.counters.give_back(0)
    third = await start()  # that remembers no refusal
    sent += [await third.gate.message(IP, account, None, "jane@example.org", 1) for _ in range(101 - allowed)]
    assert sum(one.allowed for one in sent) == 100
    refused = next(one for one in sent if not one.allowed)
    assert refused.text.startswith("The limit of 100 messages in 60 minutes of one account is reached, try again in ")


async def test_recipients_count_each(process) -> None:
    account = await process.account()
    await set_template(process, recipients_per_account={"count": 10, "window": "day"}, messages_per_account=[])
    gate = process.gate
    assert (await gate.message(IP, account, None, "jane@example.org", 7)).allowed
    assert not (await gate.message(IP, account, None, "jane@example.org", 4)).allowed
    assert (await gate.message(IP, account, None, "jane@example.org", 3)).allowed


async def test_a_message_that_was_not_taken_is_given_back(process) -> None:
    account = await process.account()
    await set_template(process, messages_per_account={"count": 1, "window": "hour"})
    decision = await process.gate.message(IP, account, None, "jane@example.org", 1)
    process.gate.refund(decision)
    assert (await process.gate.message(IP, account, None, "jane@example.org", 1)).allowed
    assert not (await process.gate.message(IP, account, None, "jane@example.org", 1)).allowed


async def test_account_over_domain_over_template(process) -> None:
    account, other = await process.account(), await process.account("john@example.org")
    stranger = await process.account("jane@example.net")
    await set_template(process, messages_per_account={"count": 1, "window": "hour"})
    await process.execute(
        "UPDATE domain SET spec = $1 WHERE name = 'example.org'",
        template(messages_per_account={"count": 2, "window": "hour"}),
    )
    limits = json.dumps({"messages": [{"count": 3, "window_minutes": 60}]})
    await process.execute("UPDATE account SET limits = $1 WHERE id = $2", limits, account)
    process.gate.rules.forget()

    async def allowed(one: int) -> int:
        return sum([(await process.gate.message(IP, one, None, "x@example.com", 1)).allowed for _ in range(5)])

    assert [await allowed(one) for one in (account, other, stranger)] == [3, 2, 1]


async def test_all_accounts_of_a_domain_together(process) -> None:
    accounts = [await process.account(f"user{number}@example.org") for number in range(4)]
    await set_template(process, messages_per_domain={"count": 10, "window": "hour"})
    sent = [await process.gate.message(IP, accounts[number % 4], None, "x@example.com", 1) for number in range(16)]
    assert sum(one.allowed for one in sent) == 10
    assert "of one domain" in sent[-1].text


async def test_an_empty_list_is_no_limit(process) -> None:
    await set_template(process, smtp_connections_per_ip=[])
    assert all([(await process.gate.connection(IP, "smtp")).allowed for _ in range(120)])


async def test_exempt_accounts_and_senders(process) -> None:
    account = await process.account()
    await set_template(
        process,
        messages_per_account={"count": 1, "window": "hour"},
        smtp_messages_per_ip={"count": 1, "window": "hour"},
    )
    await process.set(
        "limits",
        LimitSettings(exempt_accounts=("Jane@Example.org",), exempt_senders=("bulk@example.com", "example.net")),
    )
    gate = process.gate
    assert all([(await gate.message(IP, account, None, "jane@example.org", 1)).allowed for _ in range(3)])
    assert all([(await gate.message(IP, None, None, "bulk@example.com", 1)).allowed for _ in range(3)])
    assert all([(await gate.message(IP, None, None, "anybody@example.net", 1)).allowed for _ in range(3)])
    assert (await gate.message(IP, None, None, "else@example.com", 1)).allowed
    assert not (await gate.message(IP, None, None, "else@example.com", 1)).allowed


async def test_policies_take_the_place_of_other_limits(process) -> None:
    account, other = await process.account(), await process.account("john@example.org")
    await process.execute('UPDATE account SET labels = \'{"tier": "gold"}\' WHERE id = $1', account)
    hour = {"window": "hour"}
    await put(process, "low", scope="account", limits=[{"count": 1, **hour}], selector={"domains": ["example.org"]})
    await put(
        process,
        "high",
        scope="account",
        limits=[{"count": 3, **hour}],
        priority=5,
        selector={"match_labels": {"tier": "gold"}},
    )

    async def allowed(one: int) -> int:
        return sum([(await process.gate.message(IP, one, None, "x@example.com", 1)).allowed for _ in range(5)])

    assert [await allowed(account), await allowed(other)] == [3, 1]


async def test_policies_of_the_same_priority_all_hold(process) -> None:
    await process.set("bans", NO_BANS)
    await put(process, "a", scope="ip", event="smtp_connections", limits=[{"count": 5, "window": "hour"}])
    await put(process, "b", scope="ip", event="smtp_connections", limits=[{"count": 2, "window": "minute"}])
    assert sum([(await process.gate.connection(IP, "smtp")).allowed for _ in range(9)]) == 2
    await process.execute("UPDATE limit_counter SET started_at = now() - interval '61 s' WHERE window_seconds = 60")
    process.gate.counters._leases.clear()
    assert sum([(await process.gate.connection(IP, "smtp")).allowed for _ in range(9)]) == 2


async def test_policies_may_be_about_networks_and_have_exemptions(process) -> None:
    await put(
        process,
        "strict",
        scope="ip",
        event="smtp_connections",
        limits=[{"count": 1, "window": "hour"}],
        selector={"networks": ["192.0.2.0/24"]},
        exempt={"networks": ["192.0.2.200"]},
    )
    gate = process.gate
    assert [(await gate.connection(IP, "smtp")).allowed for _ in range(2)] == [True, False]
    for ip in ("192.0.2.200", "198.51.100.1"):
        assert [(await gate.connection(ip, "smtp")).allowed for _ in range(2)] == [True, True]


async def test_a_policy_may_only_log(process) -> None:
    await put(
        process, "watch", scope="ip", event="smtp_connections", limits=[{"count": 1, "window": "hour"}], action="log"
    )
    with capture_logs() as logs:
        assert all([(await process.gate.connection(IP, "smtp")).allowed for _ in range(3)])
    assert [one["action"] for one in logs if one["event"] == "rate_limit_exceeded"] == ["log", "log"]


async def test_a_policy_may_ban_at_once(process) -> None:
    await put(
        process, "hard", scope="ip", event="smtp_connections", limits=[{"count": 1, "window": "hour"}], action="ban"
    )
    await process.gate.connection(IP, "smtp")
    assert not (await process.gate.connection(IP, "smtp")).allowed
    assert process.gate.banned(IP) is not None


async def test_a_change_of_a_policy_reaches_other_processes(start, eventually) -> None:
    first, second = await start(), await start()
    assert (await second.gate.connection(IP, "smtp")).allowed
    async with first.database.transaction() as connection:
        spec = RateLimitPolicySpec.model_validate(
            {"scope": "ip", "event": "smtp_connections", "limits": [{"count": 1, "window": "hour"}]}
        )
        await policies.put_policy(connection, "strict", spec)
    await eventually(lambda: second.gate.rules._fresh_until == 0.0)
    assert not (await second.gate.connection(IP, "smtp")).allowed


@pytest.mark.parametrize(
    ("scope", "event"), [("token", "messages"), ("domain", "auth_failures"), ("account", "smtp_connections")]
)
def test_a_policy_that_means_nothing_is_refused(scope: str, event: str) -> None:
    limits = [{"count": 1, "window": "hour"}]
    spec = RateLimitPolicySpec.model_validate({"scope": scope, "event": event, "limits": limits})
    with pytest.raises(policies.PolicyError, match=event):
        policies.check(spec)


async def test_api_requests_of_a_token_and_of_an_address(process) -> None:
    await set_template(
        process,
        api_requests_per_token={"count": 3, "window": "hour"},
        api_requests_per_ip={"count": 60, "window": "minute"},
    )
    await process.set("bans", NO_BANS)
    gate = process.gate
    first = await gate.api_request(IP, "ci")
    assert (first.allowed, first.limit, first.remaining) == (True, 3, 2)
    assert [(await gate.api_request(IP, "ci")).allowed for _ in range(3)] == [True, True, False]
    # A bucket of 1 + 10, three are gone.
    assert [(await gate.api_request(IP, None)).allowed for _ in range(9)] == [True] * 8 + [False]
    refused = await gate.api_request(IP, None)
    assert refused.limit == 60
    assert 0 < refused.reset_seconds <= 1
    assert (await gate.api_request("127.0.0.1", "ci")).allowed


async def test_a_request_that_the_address_may_not_make_is_not_counted_on_its_token(process) -> None:
    await process.set("limits", LimitSettings(api_burst=0))
    await process.set("bans", NO_BANS)
    assert (await process.gate.api_request(IP, "ci")).allowed
    for _ in range(5):
        assert not (await process.gate.api_request(IP, "ci")).allowed
    await process.gate.counters.give_back(0)
    assert await process.fetchval("SELECT used FROM limit_counter WHERE key = 'token:ci'") == 1


async def test_a_page_that_asks_too_fast_is_one_violation_in_a_minute(process) -> None:
    await process.set("limits", LimitSettings(api_burst=0))
    for _ in range(40):
        await process.gate.api_request(IP, None)
    assert process.gate.banned(IP) is None


async def test_all_pass_while_postgres_is_away(start) -> None:
    process = await start()
    account = await process.account()
    await process.gate.connection(IP, "smtp")
    await process.database.close()
    for _ in range(60):
        assert (await process.gate.connection("198.51.100.1", "smtp")).allowed
    assert (await process.gate.message(IP, account, None, "jane@example.org", 5)).allowed
    assert (await process.gate.api_request(IP, "ci")).allowed
    assert (await process.gate.login_allowed(IP, "jane@example.org")).allowed


async def test_old_counters_go(process) -> None:
    for number in range(20):
        await process.gate.connection(f"192.0.2.{number}", "smtp")
    await process.gate.counters.give_back(0)
    await process.execute(
        "UPDATE limit_counter SET started_at = now() - interval '2 hours' WHERE key < 'ip:192.0.2.15'"
    )
    await process.gate._clean()
    left = await process.fetchval("SELECT count(*) FROM limit_counter WHERE event = 'smtp_connections'")
    assert 0 < int(str(left)) < 20
