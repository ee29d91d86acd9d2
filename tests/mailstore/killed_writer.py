"""A process that changes mail until it is killed; it prints what was acknowledged, one line each."""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

from mailraven.blobs import FileBlobStore
from mailraven.db import Database
from mailraven.mailstore import Delivery, LocalTarget, Mailstore, Upload
from mailraven.mailstore.flags import FLAGGED, SEEN


async def work(store: Mailstore, account: int, seed: int, first: int) -> None:
    """Add numbered messages for ever, and change others in between."""
    chance = random.Random(seed)
    boxes = [await store.mailbox(account, name) for name in ("INBOX", "Archive", "Trash")]
    for number in range(first, first + 100_000):
        raw = b"Subject: %d\r\n\r\n" % number + b"x" * chance.choice((0, 3000))
        box, other = chance.sample(boxes, 2)
        if chance.random() < 0.5:
            await store.append(account, box.id, [Upload(raw, FLAGGED)])
        else:
            await store.intake.deliver(Delivery(raw, (LocalTarget(account, "a@example.test", flags=FLAGGED),)))
        print(number, flush=True)
        uids = sorted(chance.sample(range(1, 200), 20))
        await store.store(account, box.id, uids, chance.choice(("add", "remove")), SEEN, ("k",))
        await store.move(account, box.id, uids, account, other.name)


async def main(dsn: str, blobs: str, account: int, seed: int, first: int) -> None:
    """Several clients at once."""
    database = await Database.connect(dsn)
    store = Mailstore(database, FileBlobStore(Path(blobs)), inline_max=1024)
    await asyncio.gather(*(work(store, account, seed * 10 + n, first + n * 100_000) for n in range(4)))


if __name__ == "__main__":
    _, url, directory, *numbers = sys.argv
    asyncio.run(main(url, directory, *map(int, numbers)))
