"""The recorder: in batches, in time, bounded, and whatever happens no trouble for the mail."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailraven.db import Database, DatabaseUnavailable
from mailraven.telemetry import metrics
from mailraven.trace import Kind, Recorder, TraceEvent, bare_address, bare_message_id
from mailraven.trace.event import MAX_ADDRESS, MAX_DETAIL, MAX_MESSAGE_ID, columns


def event(number: int = 0, **fields: Any) -> TraceEvent:
    return TraceEvent(Kind.DELIVERED, f"t{number}", **fields)


async def rows(database: Database) -> list[Any]:
    async with database.acquire() as connection:
        return list(await connection.fetch("SELECT * FROM trace_event ORDER BY id"))


async def eventually(database: Database, count: int) -> list[Any]:
    async with asyncio.timeout(20):
        while len(found := await rows(database)) < count:
            await asyncio.sleep(0.01)
    return found


def dropped() -> float:
    return float(metrics.TRACE_EVENTS.labels("dropped")._value.get())


async def test_events_are_written_soon_and_as_they_were(database: Database) -> None:
    recorder = Recorder(database, seconds=0.02)
    given_event = TraceEvent(
        Kind.SENT, "a.1", 7, "<m@example.org>", "Jane@Example.org", "bob@bücher.example", "mx.example", "250 OK"
    )
    recorder.record(given_event)
    (row,) = await eventually(database, 1)
    assert dict(row) == {
        "id": row["id"],
        "at": given_event.at,
        "trace_id": "a.1",
        "kind": "sent",
        "account_id": 7,
        "message_id": "m@example.org",
        "sender": "jane@example.org",
        "recipient": "bob@xn--bcher-kva.example",
        "peer": "mx.example",
        "detail": "250 OK",
    }
    await recorder.close()


async def test_a_full_batch_does_not_wait_for_the_clock(database: Database) -> None:
    recorder = Recorder(database, seconds=60)
    recorder.record(event())
    await asyncio.sleep(0)
    for number in range(1, 500):
        recorder.record(event(number))
    await eventually(database, 500)
    await recorder.close()


async def test_closing_writes_the_rest_and_takes_no_more(database: Database) -> None:
    recorder = Recorder(database, seconds=60)
    for number in range(1200):
        recorder.record(event(number))
    await recorder.close()
    before = dropped()
    recorder.record(event(9999))
    assert dropped() == before + 1
    assert [row["trace_id"] for row in await rows(database)] == [f"t{number}" for number in range(1200)]


async def test_events_are_written_once_whoever_flushes(database: Database) -> None:
    recorder = Recorder(database, seconds=0.001)
    for number in range(700):
        recorder.record(event(number))
    await asyncio.gather(*(recorder.flush() for _ in range(4)))
    await recorder.close()
    assert [row["trace_id"] for row in await rows(database)] == [f"t{number}" for number in range(700)]


async def test_no_task_is_left_when_there_is_nothing_to_write(database: Database) -> None:
    recorder = Recorder(database, seconds=0.01)
    recorder.record(event())
    await eventually(database, 1)
    async with asyncio.timeout(10):
        while [task for task in asyncio.all_tasks() if task.get_name() == "trace-recorder"]:
            await asyncio.sleep(0)
    recorder.record(event(1))
    await eventually(database, 2)
    await recorder.close()


async def test_beyond_its_capacity_events_are_dropped_and_counted(database: Database) -> None:
    recorder = Recorder(database, seconds=60, capacity=10)
    before = dropped()
    for number in range(25):
        recorder.record(event(number))
    assert dropped() == before + 15
    await recorder.close()
    assert len(await rows(database)) == 10


class Away:
    """A database that goes away for some calls."""

    def __init__(self, database: Database, calls: int) -> None:
        self.database, self.calls, self.asked = database, calls, 0

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        self.asked += 1
        if self.asked <= self.calls:
            raise DatabaseUnavailable("gone")
        async with self.database.acquire() as connection:
            yield connection


async def test_while_the_database_is_away_events_wait(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailraven.trace.recorder._PAUSE", 0.01)
    recorder = Recorder(Away(database, 3), seconds=0.01)  # type: ignore[arg-type]
    recorder.record(event())
    (row,) = await eventually(database, 1)
    assert row["trace_id"] == "t0"
    await recorder.close()


async def test_closing_without_a_database_does_not_hang(database: Database) -> None:
    recorder = Recorder(Away(database, 100), seconds=60)  # type: ignore[arg-type]
    recorder.record(event())
    before = dropped()
    async with asyncio.timeout(10):
        await recorder.close()
    assert dropped() == before + 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(max_size=700), min_size=6, max_size=6))
def test_whatever_others_said_fits_into_the_table(texts: list[str]) -> None:
    hostile = TraceEvent(Kind.REFUSED, texts[0], 0, *texts[1:5], detail=texts[5] + "\0\r\n\ud800")
    for column in columns([hostile]):
        for value in column:
            if isinstance(value, str):
                assert value.isprintable()
                value.encode()
    _, _, _, _, message_id, sender, recipient, _, detail = columns([hostile])
    assert len(str(message_id[0])) <= MAX_MESSAGE_ID
    assert max(len(str(sender[0])), len(str(recipient[0]))) <= MAX_ADDRESS
    assert len(str(detail[0])) <= MAX_DETAIL


async def test_the_longest_values_fit_into_the_indexes(database: Database) -> None:
    recorder = Recorder(database)
    wide = "\U0001f600" * 5000
    recorder.record(TraceEvent(Kind.REFUSED, wide, 0, wide, wide, wide, wide, wide))
    await recorder.close()
    assert len(await rows(database)) == 1


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("<a@b>", "a@b"),
        ("a@b", "a@b"),
        (" <a@b> (comment)", "a@b"),
        ("x <a@b>", "a@b"),
        ("<a@b", "a@b"),
        ("", ""),
        ("<>", ""),
        ("A@B", "A@B"),
    ],
)
def test_a_message_id_is_stored_bare(text: str, bare: str) -> None:
    assert bare_message_id(text) == bare


@pytest.mark.parametrize(
    ("text", "bare"),
    [("<Jane@Example.ORG>", "jane@example.org"), ("ü@BÜCHER.example", "ü@xn--bcher-kva.example"), ("ü", "ü"), ("", "")],
)
def test_an_address_is_stored_in_one_form(text: str, bare: str) -> None:
    assert bare_address(text) == bare
