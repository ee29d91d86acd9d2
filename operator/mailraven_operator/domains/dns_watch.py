"""Asks the server what the DNS answers: beside the reconciliations, not too often, and not for all domains at once."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from mailraven_operator.domains.dns_records import Answer, Identity
from mailraven_operator.server import ServerRefused, ServerUnreachable
from mailraven_operator.world import Key

_log = structlog.get_logger(component="domains")
_AT_A_TIME = 8
_GRACE_SECONDS = 0.5  # most answers are there by then
_RUNNING_SECONDS = 5.0  # while one is on its way: it takes 15 at most
_QUEUED_SECONDS = 120.0  # while it waits for others: with a silent DNS these are many
_FIRST_SECONDS = 60.0
_LONGEST_SECONDS = {True: 3600.0, False: 600.0}  # everything is there; something is missing

Ask = Callable[[], Awaitable[Answer]]


@dataclass
class _Watched:
    records: tuple[Identity, ...]
    answer: Answer | None = None
    interval: float = _FIRST_SECONDS
    due: float = 0.0
    task: asyncio.Task[None] | None = field(default=None, repr=False)
    running: bool = False


class DnsWatch:
    """The last answers, in memory: after a restart everything is asked anew."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._watched: dict[Key, _Watched] = {}
        self._slots = asyncio.Semaphore(_AT_A_TIME)

    async def look(self, key: Key, records: tuple[Identity, ...], ask: Ask) -> tuple[Answer | None, float]:
        """The last answer about these records, and in how many seconds to come again. Starts a question when one is
        due; waits for it only a moment. Other records are a new question."""
        watched = self._watched.get(key)
        if watched is None or watched.records != records:
            self.forget(key)
            watched = self._watched[key] = _Watched(records, due=self._now())
        if watched.task is None and self._now() >= watched.due:
            at_once = not self._slots.locked()
            watched.task = asyncio.create_task(self._ask(key, watched, ask), name=f"dns check {key[0]}/{key[1]}")
            if at_once:
                await asyncio.wait({watched.task}, timeout=_GRACE_SECONDS)
        if watched.task is not None:
            return watched.answer, _RUNNING_SECONDS if watched.running else _QUEUED_SECONDS
        return watched.answer, max(1.0, watched.due - self._now())

    def forget(self, key: Key) -> None:
        """The resource is gone, or has other records."""
        watched = self._watched.pop(key, None)
        if watched is not None and watched.task is not None:
            watched.task.cancel()

    async def close(self) -> None:
        """Ends the questions that are on their way."""
        tasks = [watched.task for watched in self._watched.values() if watched.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, key: Key, watched: _Watched, ask: Ask) -> None:
        try:
            async with self._slots:
                watched.running = True
                answer = await ask()
            unchanged = answer == watched.answer
            watched.answer = answer
            watched.interval = next_interval(watched.interval, unchanged=unchanged, complete=_is_complete(answer))
        except (ServerRefused, ServerUnreachable) as error:
            _log.info("dns_check_failed", namespace=key[0], name=key[1], reason=str(error))
        except Exception:  # noqa: BLE001 - the next question is asked all the same
            _log.exception("dns_check_failed", namespace=key[0], name=key[1])
        finally:
            watched.due = self._now() + watched.interval
            watched.task, watched.running = None, False


def next_interval(interval: float, *, unchanged: bool, complete: bool) -> float:
    """Seconds until the next question: a minute after a change, then twice as long each time."""
    return min(interval * 2 if unchanged else _FIRST_SECONDS, _LONGEST_SECONDS[complete])


def _is_complete(answer: Answer) -> bool:
    return all(finding.state == "ok" for finding in answer.findings if finding.required)
