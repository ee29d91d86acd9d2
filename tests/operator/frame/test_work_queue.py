"""Who is looked at, when, and by how many at once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from mailraven_operator.work_queue import Again, Item, WorkQueue

ANN, BOB, EVE = ("MailUser", "mail", "ann"), ("MailUser", "mail", "bob"), ("MailUser", "mail", "eve")


class Looks:
    """Looks that wait for the test."""

    def __init__(self) -> None:
        self.begun: list[Item] = []
        self.running: set[Item] = set()
        self.most = 0
        self.answers: dict[Item, list[Again]] = {}
        self.gate = asyncio.Event()

    async def __call__(self, item: Item) -> Again:
        assert item not in self.running
        self.begun.append(item)
        self.running.add(item)
        self.most = max(self.most, len(self.running))
        await self.gate.wait()
        self.running.discard(item)
        answers = self.answers.get(item)
        return answers.pop(0) if answers else Again()


@asynccontextmanager
async def working(looks: Looks, concurrency: int = 2) -> AsyncIterator[WorkQueue]:
    queue = WorkQueue(looks, concurrency=concurrency, longest_pause=0.02, chance=lambda: 0.0)
    running = asyncio.create_task(queue.run())
    try:
        yield queue
    finally:
        looks.gate.set()
        queue.close()
        await asyncio.wait_for(running, 5)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


async def test_an_item_waits_once_and_runs_alone() -> None:
    looks = Looks()
    async with working(looks) as queue:
        for _ in range(3):
            queue.add(ANN)
        assert len(queue) == 1
        await until(lambda: looks.begun == [ANN])
        queue.add(ANN)
        queue.add(ANN)
        assert len(queue) == 0
        looks.gate.set()
        await queue.drained()
        assert looks.begun == [ANN, ANN]


async def test_no_more_run_at_once_than_allowed() -> None:
    looks = Looks()
    async with working(looks) as queue:
        for number in range(10):
            queue.add(("MailUser", "mail", str(number)))
        await until(lambda: len(looks.running) == 2)
        looks.gate.set()
        await queue.drained()
        assert len(looks.begun) == 10
        assert looks.most == 2


async def test_what_changed_goes_before_routine() -> None:
    looks = Looks()
    async with working(looks, concurrency=1) as queue:
        queue.add(ANN, routine=True)
        queue.add(BOB, routine=True)
        queue.add(EVE)
        queue.add(BOB)
        looks.gate.set()
        await queue.drained()
        assert looks.begun == [EVE, BOB, ANN]


async def test_a_failure_is_tried_again_and_forgotten_with_success() -> None:
    looks = Looks()
    looks.gate.set()
    looks.answers[ANN] = [Again(failed=True), Again(failed=True)]
    async with working(looks) as queue:
        queue.add(ANN)
        await until(lambda: len(looks.begun) == 3)
        await until(lambda: queue.failures(ANN) == 0)
        assert queue.delayed == 0


async def test_a_look_may_ask_for_the_next() -> None:
    looks = Looks()
    looks.gate.set()
    looks.answers[ANN] = [Again(after=0.01), Again()]
    async with working(looks) as queue:
        queue.add(ANN)
        await until(lambda: len(looks.begun) == 2)
        await queue.drained()


async def test_a_change_does_not_wait_for_the_back_off() -> None:
    looks = Looks()
    looks.gate.set()
    looks.answers[ANN] = [Again(after=1000.0), Again()]
    async with working(looks) as queue:
        queue.add(ANN)
        await until(lambda: queue.delayed == 1)
        queue.add(ANN)
        assert queue.delayed == 0
        await queue.drained()
        assert looks.begun == [ANN, ANN]


async def test_closing_ends_what_waits_and_not_what_runs() -> None:
    looks = Looks()
    async with working(looks, concurrency=1) as queue:
        queue.add(ANN)
        queue.add(BOB)
        await until(lambda: looks.begun == [ANN])
        queue.close()
        queue.add(EVE)
        looks.gate.set()
        await queue.drained()
        assert looks.begun == [ANN]


def test_pauses_grow_to_the_longest() -> None:
    async def nothing(_item: Item) -> Again:
        return Again()

    queue = WorkQueue(nothing, concurrency=1, longest_pause=300.0, chance=lambda: 1.0)
    assert [queue.pause(failures) for failures in (1, 2, 3, 9, 10, 1000)] == [1, 2, 4, 256, 300, 300]
    half = WorkQueue(nothing, concurrency=1, longest_pause=300.0, chance=lambda: 0.0)
    assert half.pause(3) == 2
