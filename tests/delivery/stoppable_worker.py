"""A delivery daemon in a process of its own, to be stopped and continued: see test_leases.py."""

import asyncio
import json
import sys
from pathlib import Path
from types import SimpleNamespace

from mailraven.blobs import FileBlobStore
from mailraven.config import Config
from mailraven.config.delivery import DeliveryConfig
from mailraven.db import Database
from mailraven.delivery import DeliveryServer
from mailraven.directory import Directory
from mailraven.mailstore import Mailstore
from mailraven.trace import Recorder


async def main(dsn: str, blobs: str, settings: dict[str, object]) -> None:
    database = await Database.connect(dsn)
    store = FileBlobStore(Path(blobs))
    await store.open()
    nouns = SimpleNamespace(
        database=database,
        directory=Directory(database),
        mailstore=Mailstore(database, store),
        trace=Recorder(database),
    )
    server = DeliveryServer(Config(hostname="mail.ours.test", delivery=DeliveryConfig(**settings)), nouns)
    await server.start()
    await asyncio.Event().wait()


asyncio.run(main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3])))
