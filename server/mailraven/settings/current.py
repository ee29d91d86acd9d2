"""The settings now in force in this process: from memory, renewed by notification and every minute."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import cast

import structlog
from pydantic import ValidationError

from mailraven.db import Database, DatabaseUnavailable
from mailraven.settings.stored import CHANNEL
from mailraven_api.model import Model
from mailraven_api.settings import (
    GROUPS,
    AdminSettings,
    BanSettings,
    GuardSettings,
    LimitSettings,
    MailSettings,
    PasswordSettings,
)

RELOAD_SECONDS = 60.0  # how long a change may go unseen when its notification was lost
_RETRY_SECONDS = 2.0

_log = structlog.get_logger(component="settings")


class Settings:
    """One for a process. Make it before the database's listener starts."""

    def __init__(self, database: Database, *, reload_seconds: float = RELOAD_SECONDS) -> None:
        self._database = database
        self._reload_seconds = reload_seconds
        self._values: dict[str, Model] = {name: kind() for name, kind in GROUPS.items()}
        self._callbacks: list[Callable[[], None]] = []
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        database.listener.subscribe(CHANNEL, self._notified)

    @property
    def limits(self) -> LimitSettings:
        """Limits of the whole server, and who is exempt."""
        return cast(LimitSettings, self._values["limits"])

    @property
    def bans(self) -> BanSettings:
        """What leads to a ban, and for how long."""
        return cast(BanSettings, self._values["bans"])

    @property
    def guard(self) -> GuardSettings:
        """When an account's queue is held."""
        return cast(GuardSettings, self._values["guard"])

    @property
    def passwords(self) -> PasswordSettings:
        """What a new password has to be."""
        return cast(PasswordSettings, self._values["passwords"])

    @property
    def admin(self) -> AdminSettings:
        """Admin API and browser sessions."""
        return cast(AdminSettings, self._values["admin"])

    @property
    def mail(self) -> MailSettings:
        """What all domains share."""
        return cast(MailSettings, self._values["mail"])

    def subscribe(self, callback: Callable[[], None]) -> None:
        """Call `callback` after each change of what is in force."""
        self._callbacks.append(callback)

    async def load(self) -> None:
        """Read all groups now. Raises DatabaseUnavailable."""
        async with self._database.acquire() as connection:
            rows = await connection.fetch("SELECT name, value FROM setting")
        self._take({row["name"]: row["value"] for row in rows})
        self._watch()

    async def close(self) -> None:
        """Hear of no more changes."""
        self._closed = True
        self._database.listener.unsubscribe(CHANNEL, self._notified)
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _take(self, documents: Mapping[str, str]) -> None:
        values = {name: self._parse(name, documents.get(name)) for name in GROUPS}
        if values == self._values:
            return
        self._values = values
        for callback in self._callbacks:
            callback()

    def _parse(self, name: str, document: str | None) -> Model:
        if document is None:
            return GROUPS[name]()
        try:
            return GROUPS[name].model_validate_json(document)
        except ValidationError as error:  # written by another version of the program: what held goes on holding
            _log.error("stored settings are not valid", group=name, problems=error.error_count())
            return self._values[name]

    def _notified(self, _payload: str | None) -> None:
        self._changed.set()
        self._watch()

    def _watch(self) -> None:
        if self._task is None and not self._closed:
            self._task = asyncio.create_task(self._follow(), name="settings")

    async def _follow(self) -> None:
        pause = self._reload_seconds
        while True:
            # Not wait_for(): in Python 3.11 it may swallow a cancellation that comes together with the event.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._changed.wait()
            self._changed.clear()
            try:
                await self.load()
                pause = self._reload_seconds
            except DatabaseUnavailable as error:
                _log.warning("settings not read", error=type(error).__name__)
                pause = _RETRY_SECONDS
