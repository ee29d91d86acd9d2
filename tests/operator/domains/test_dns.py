"""Records in the status, DNSReady, and how often the DNS is asked."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailraven_api.dns import DnsFinding, DnsRecord
from mailraven_api.kubernetes import MailDomain
from mailraven_operator.domains.dns_records import Answer, dns_condition, identities, shown_records
from mailraven_operator.domains.dns_watch import DnsWatch, next_interval
from mailraven_operator.server import ServerUnreachable

MX = DnsRecord(name="example.org", type="MX", ttl=3600, value="10 mx", purpose="mx", required=True)
SRV = DnsRecord(name="_imaps._tcp.example.org", type="SRV", ttl=60, value="0 1 993 mx", purpose="imap", required=False)
RECORDS = (MX, SRV)


def finding(record: DnsRecord, state: str, *found: str, **given: Any) -> DnsFinding:
    """About a record."""
    return DnsFinding(
        name=given.get("name", record.name),
        type=record.type,
        purpose=given.get("purpose", record.purpose),
        state=state,
        expected=record.value,
        found=found,
        detail="",
        required=record.required,
    )


def resource(records: Any = (), conditions: Any = ()) -> MailDomain:
    """With what its status says."""
    status = {"dnsRecords": list(records), "conditions": list(conditions)}
    return MailDomain.parse({"metadata": {"name": "example.org"}, "kind": "MailDomain", "status": status})


HOST = DnsFinding(
    name="mx", type="A", purpose="host", state="missing", expected="an address", found=(), detail="", required=True
)


@pytest.mark.parametrize(
    ("findings", "status", "reason", "message"),
    [
        ((finding(MX, "ok"), finding(SRV, "missing")), True, "Published", None),
        ((finding(MX, "missing"), finding(SRV, "ok")), False, "RecordsMissing", "MX example.org"),
        ((finding(MX, "differs", "5 other"),), False, "RecordsMissing", "MX example.org"),
        ((finding(MX, "ok"), HOST), False, "RecordsMissing", "A mx"),
        ((finding(MX, "error"), finding(SRV, "ok")), None, "LookupFailed", "MX example.org"),
        ((finding(MX, "ok"), finding(SRV, "error")), True, "Published", None),
        (tuple(finding(MX, "missing", name=f"{n}.org") for n in range(9)), False, "RecordsMissing", "and 3 more"),
    ],
)
def test_condition(findings: Any, status: bool | None, reason: str, message: str | None) -> None:
    condition = dns_condition(resource(), RECORDS, Answer(findings))
    assert (condition.type, condition.status, condition.reason) == ("DNSReady", status, reason)
    assert message is None or message in condition.message


def test_records_are_shown_with_what_was_found_in_one_order():
    answer = Answer((finding(MX, "differs", "20 b", "10 a", "x" * 3000),))
    shown = shown_records(resource(), RECORDS, answer)
    assert [(one["state"], one["found"]) for one in shown] == [
        ("differs", ["10 a", "20 b", "x" * 512]),
        ("unknown", []),
    ]
    assert shown[0] | {"state": "", "found": ""} == {
        "name": "example.org",
        "type": "MX",
        "ttl": 3600,
        "value": "10 mx",
        "purpose": "mx",
        "required": True,
        "state": "",
        "found": "",
    }


def test_a_restart_of_the_operator_changes_nothing():
    answer = Answer((finding(MX, "missing"), finding(SRV, "ok", "0 1 993 mx")))
    shown = shown_records(resource(), RECORDS, answer)
    before = dns_condition(resource(), RECORDS, answer)
    stored = {"type": "DNSReady", "status": "False", "reason": before.reason, "message": before.message}
    known = resource(shown, [stored | {"lastTransitionTime": "2026-01-01T00:00:00Z"}])
    assert shown_records(known, RECORDS, None) == shown
    assert dns_condition(known, RECORDS, None) == before
    assert dns_condition(known, (MX,), None).reason == "NotChecked"
    assert [one["state"] for one in shown_records(known, (SRV,), None)] == ["ok"]


def test_selectors_of_the_own_name_only():
    key = MX.model_copy(update={"type": "TXT", "purpose": "dkim"})
    answer = Answer(
        (
            finding(key, "ok", name="a.b._domainkey.example.org"),
            finding(key, "missing", name="c._domainkey.example.org"),
            finding(key, "ok", name="d._domainkey.alias.org"),
            finding(key, "ok", name="e._domainkey.example.org", purpose="spf"),
        )
    )
    assert answer.published_selectors("example.org") == {"a.b"}


def test_intervals():
    seconds = [60.0]
    for _ in range(8):
        seconds.append(next_interval(seconds[-1], unchanged=True, complete=False))
    assert seconds == [60, 120, 240, 480, 600, 600, 600, 600, 600]
    assert next_interval(600, unchanged=True, complete=True) == 1200
    assert next_interval(3000, unchanged=True, complete=True) == 3600
    assert next_interval(3600, unchanged=False, complete=True) == 60


KEY = ("team", "example.org")


class Clock:
    """Moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """At some moment."""
    return Clock()


@pytest.fixture
async def watch(clock: Clock) -> AsyncIterator[DnsWatch]:
    """Nothing asked yet."""
    made = DnsWatch(clock)
    yield made
    await made.close()


class Questions:
    """Answers each question with the next state, when `go` is set."""

    def __init__(self, *states: str) -> None:
        self.states = list(states)
        self.asked = 0
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self) -> Answer:
        self.asked += 1
        await self.go.wait()
        state = self.states.pop(0)
        if state == "away":
            raise ServerUnreachable("no server")
        return Answer((finding(MX, state),))


async def test_the_dns_is_asked_now_and_then(watch: DnsWatch, clock: Clock) -> None:
    ask = Questions("missing", "missing", "ok")
    answer, wait = await watch.look(KEY, identities(RECORDS), ask)
    assert answer is not None
    assert (answer.findings[0].state, wait, ask.asked) == ("missing", 60, 1)
    clock.now += 59
    assert (await watch.look(KEY, identities(RECORDS), ask))[1] == 1
    assert ask.asked == 1
    clock.now += 1
    assert (await watch.look(KEY, identities(RECORDS), ask))[1] == 120
    clock.now += 120
    answer, wait = await watch.look(KEY, identities(RECORDS), ask)
    assert answer is not None
    assert (answer.findings[0].state, wait, ask.asked) == ("ok", 60, 3)


async def test_other_records_are_another_question(watch: DnsWatch) -> None:
    ask = Questions("missing", "ok")
    await watch.look(KEY, identities(RECORDS), ask)
    answer, _ = await watch.look(KEY, identities((MX,)), ask)
    assert answer is not None
    assert (answer.findings[0].state, ask.asked) == ("ok", 2)


async def test_slow_answers_hold_up_nobody(watch: DnsWatch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailraven_operator.domains.dns_watch._GRACE_SECONDS", 0.01)
    ask = Questions(*["ok"] * 9)
    ask.go.clear()
    looks = [await watch.look(("team", f"{number}.org"), identities(RECORDS), ask) for number in range(8)]
    assert looks == [(None, 5.0)] * 8
    assert await watch.look(KEY, identities(RECORDS), ask) == (None, 120.0)
    assert await watch.look(KEY, identities(RECORDS), ask) == (None, 120.0)
    ask.go.set()
    async with asyncio.timeout(10):
        while (found := await watch.look(KEY, identities(RECORDS), ask))[0] is None:
            await asyncio.sleep(0)
    assert (found[1], ask.asked) == (60.0, 9)


async def test_a_server_that_is_away_leaves_the_last_answer(watch: DnsWatch, clock: Clock) -> None:
    ask = Questions("missing", "away")
    await watch.look(KEY, identities(RECORDS), ask)
    clock.now += 60
    answer, wait = await watch.look(KEY, identities(RECORDS), ask)
    assert answer is not None
    assert (wait, ask.asked) == (60, 2)


async def test_what_is_gone_is_asked_about_no_more(watch: DnsWatch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailraven_operator.domains.dns_watch._GRACE_SECONDS", 0.01)
    ask = Questions("ok", "ok")
    ask.go.clear()
    await watch.look(KEY, identities(RECORDS), ask)
    watch.forget(KEY)
    ask.go.set()
    await watch.look(KEY, identities(RECORDS), ask)
    assert (ask.asked, len(ask.states)) == (2, 1)
