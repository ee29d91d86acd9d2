"""The token that somebody else made (a Kubernetes or Docker secret): kept in Postgres as the file has it."""

import asyncio
from pathlib import Path

import structlog

from mailraven.audit import Entry, write
from mailraven.db import Database, DatabaseUnavailable
from mailraven.directory import InvalidValue, TokenExists
from mailraven.directory.tokens import BOOTSTRAP, keep_token

LOOK_SECONDS = 10.0

_log = structlog.get_logger(component="admin-token")


class AdminTokenFile:
    """Any number of processes may keep the same file: they agree, and each writes only what it has not written."""

    def __init__(self, database: Database, path: Path, *, look_seconds: float = LOOK_SECONDS) -> None:
        self._database = database
        self._path = path
        self._look_seconds = look_seconds
        self._kept = ""
        self._complained = ""

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(self._look_seconds)
            await self.look()

    async def look(self) -> None:
        """Makes the file's token known if it is another one than last time. A file that cannot be used leaves the
        token before in force, and is told once.
        """
        try:
            await self._look()
        except DatabaseUnavailable as error:
            _log.warning("admin_token_waits", reason=str(error))
        except (OSError, UnicodeDecodeError, InvalidValue, TokenExists) as error:
            self._complain(error)

    async def _look(self) -> None:
        secret = (await asyncio.to_thread(self._path.read_text, encoding="utf-8")).strip()
        if secret == self._kept:
            return
        async with self._database.transaction() as connection:
            if await keep_token(connection, BOOTSTRAP, secret):
                entry = Entry(actor="system", ip="", request_id="", action="token.keep", target=BOOTSTRAP)
                await write(connection, entry)
                _log.info("admin_token_kept", name=BOOTSTRAP)
        self._kept, self._complained = secret, ""

    def _complain(self, error: Exception) -> None:
        text = error.strerror or "" if isinstance(error, OSError) else str(error)
        if isinstance(error, UnicodeDecodeError):
            text = "not UTF-8"  # its own text has octets of the file
        if text != self._complained:
            self._complained = text
            _log.error("admin_token_unusable", file=str(self._path), reason=text)
