"""Finding events: by what, who may see which, pages, and clearing away."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mailraven.db import Database
from mailraven.directory import Directory
from mailraven.trace import Kind, Query, Recorder, Scope, TraceEvent, find, line, purge

NOW = datetime.now(UTC).replace(microsecond=0)
ALL = Scope(everything=True)


def query(**keys: Any) -> Query:
    return Query(**{"since": NOW - timedelta(days=30), "until": NOW + timedelta(hours=1), **keys})


async def write(database: Database, *events: TraceEvent) -> None:
    recorder = Recorder(database)
    for one in events:
        recorder.record(one)
    await recorder.close()


def event(kind: Kind, trace_id: str, seconds: float = 0, **fields: Any) -> TraceEvent:
    return TraceEvent(kind, trace_id, at=NOW - timedelta(hours=1) + timedelta(seconds=seconds), **fields)


@pytest.fixture
async def story(database: Database) -> Database:
    """Two messages: one to another server, one between two of our domains."""
    await write(
        database,
        event(Kind.QUEUED, "a.1", 0, account=1, message_id="<one@x>", sender="jane@a.test", recipient="bob@far.test"),
        event(Kind.DEFERRED, "a.1", 5, account=1, sender="jane@a.test", recipient="bob@far.test", detail="450 busy"),
        event(Kind.SENT, "a.1", 60, account=1, sender="jane@a.test", recipient="bob@far.test", detail="250 fine"),
        event(
            Kind.DELIVERED, "b.1", 30, account=2, message_id="<two@x>", sender="jane@a.test", recipient="john@b.test"
        ),
        event(Kind.DELIVERED, "b.1", 30, account=3, message_id="<two@x>", sender="jane@a.test", recipient="eve@c.test"),
        event(Kind.REFUSED, "c.0", 40, sender="spam@bad.test", recipient="nobody@b.test", detail="550 no"),
    )
    return database


async def ids(database: Database, wanted: Query, scope: Scope = ALL) -> list[tuple[str, list[str]]]:
    async with database.acquire() as connection:
        found, following = await find(connection, wanted, scope, limit=100)
    assert following is None
    return [(one.trace_id, [f"{e.kind} {e.recipient}" for e in one.events]) for one in found]


A1 = ("a.1", ["queued bob@far.test", "deferred bob@far.test", "sent bob@far.test"])
B1 = ("b.1", ["delivered john@b.test", "delivered eve@c.test"])
C0 = ("c.0", ["refused nobody@b.test"])


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"message_id": "<one@x>"}, [A1]),
        ({"message_id": "one@x"}, [A1]),
        ({"message_id": "one"}, []),
        ({"address": "JANE@a.test"}, [A1, B1]),
        ({"address": "bob@far.test"}, [A1]),
        ({"trace_id": "b.1"}, [B1]),
        ({"trace_id": "b.1", "address": "john@b.test"}, [B1]),
        ({"trace_id": "b.1", "address": "bob@far.test"}, []),
        ({"message_id": "two@x", "address": "jane@a.test"}, [B1]),
        ({}, [A1, C0, B1]),
        ({"since": NOW - timedelta(hours=1) + timedelta(seconds=35)}, [A1, C0]),
        ({"until": NOW - timedelta(hours=1) + timedelta(seconds=1)}, [A1]),
        ({"address": "%"}, []),
        ({"address": "'; DROP TABLE trace_event --"}, []),
    ],
)
async def test_what_is_asked_for_is_found_newest_first(
    story: Database, keys: dict[str, Any], expected: list[tuple[str, list[str]]]
) -> None:
    assert await ids(story, query(**keys)) == expected


async def test_domain_admins_see_what_is_from_or_to_their_domains_and_users_their_own(story: Database) -> None:
    directory = Directory(story)
    for name in ("b.test", "far.test", "other.test"):
        await directory.create_domain(name)
    async with story.acquire() as connection:
        domain = {row["name"]: row["id"] for row in await connection.fetch("SELECT id, name FROM domain")}
        await connection.execute(
            "INSERT INTO domain_alias (name, domain_id) VALUES ('c.test', $1)", domain["other.test"]
        )
    of = {name: Scope(domain_ids=[number]) for name, number in domain.items()}
    assert await ids(story, query(), of["b.test"]) == [C0, ("b.1", ["delivered john@b.test"])]
    assert await ids(story, query(address="jane@a.test"), of["b.test"]) == [("b.1", ["delivered john@b.test"])]
    assert await ids(story, query(), of["far.test"]) == [A1]
    assert await ids(story, query(), of["other.test"]) == [("b.1", ["delivered eve@c.test"])]  # by its other name
    assert await ids(story, query(), Scope(account=1)) == [A1]
    assert await ids(story, query(address="jane@a.test"), Scope(account=2)) == [("b.1", ["delivered john@b.test"])]
    assert await ids(story, query(trace_id="a.1"), Scope(account=2)) == []
    # 0 is nobody: the events without an account are not those of a service without one.
    assert await ids(story, query(), Scope(account=0)) == []
    await directory.close()


async def test_pages_are_complete_and_show_each_message_once(database: Database) -> None:
    # Messages that interleave, at times that repeat.
    await write(
        database,
        *(
            event(Kind.DEFERRED, f"m{number % 37}", number // 3, sender="jane@a.test", recipient=f"r{number}@far.test")
            for number in range(200)
        ),
    )
    for keys in ({"address": "jane@a.test"}, {}):
        seen: list[str] = []
        after = None
        async with database.acquire() as connection:
            for _ in range(50):
                found, after = await find(connection, query(**keys), ALL, limit=5, after=after)
                seen += [one.trace_id for one in found]
                assert all(len(one.events) in (5, 6) for one in found)
                if after is None:
                    break
        assert len(seen) == 37
        assert set(seen) == {f"m{number}" for number in range(37)}


async def test_old_events_are_cleared_away(database: Database) -> None:
    old = [TraceEvent(Kind.SENT, f"old{n}", at=NOW - timedelta(days=31)) for n in range(7)]
    await write(database, *old, TraceEvent(Kind.SENT, "new", at=NOW - timedelta(days=29)))
    async with database.acquire() as connection:
        assert await purge(connection, 30 * 86400.0, limit=5) == 5
        assert await purge(connection, 30 * 86400.0, limit=5) == 2
        assert await purge(connection, 30 * 86400.0, limit=5) == 0
        assert await connection.fetchval("SELECT string_agg(trace_id, ' ') FROM trace_event") == "new"


@pytest.mark.parametrize("kind", list(Kind))
def test_each_kind_has_words_for_people(kind: Kind) -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    said = line(TraceEvent(kind, "x", sender="s@x.test", recipient="r@x.test", peer="P", detail="{D}", at=at))
    assert said.startswith("2026-01-02 03:04:05 ")
    assert "{D}" in said
    assert "s@x.test" in said or "r@x.test" in said
    assert "{" not in line(TraceEvent(kind, "x", at=at))
