"""From violations of limits to bans: each one of an address counts, so many in a window ban it, longer each time."""

from __future__ import annotations

import structlog

from mailraven import audit
from mailraven.db import Database, DatabaseUnavailable
from mailraven.limits import bans
from mailraven.limits.bans import BanList
from mailraven.limits.clients import client_key, client_network, parse_ip
from mailraven.limits.counters import Counters
from mailraven.limits.model import Ban, Cost, CounterKey
from mailraven.settings import Settings
from mailraven.telemetry import metrics

_EVENT = "violations"

_log = structlog.get_logger(component="limits")


class Offences:
    """One for a process."""

    def __init__(self, database: Database, counters: Counters, settings: Settings, known: BanList) -> None:
        self._database = database
        self._counters = counters
        self._settings = settings
        self._known = known

    async def count(self, ip: str, reason: str, *, request_id: str = "", at_once: bool = False) -> None:
        """A violation by a client that is not exempt. `at_once`: a policy asks for a ban with the first."""
        settings = self._settings.bans
        if not settings.enabled and not at_once:
            return
        if not at_once:
            counter = CounterKey(_EVENT, f"ip:{client_key(ip)}", settings.window_minutes * 60)
            outcome = await self._counters.charge([Cost(counter, settings.threshold)])
            if outcome.cost is None or outcome.remaining > 0:
                return
        try:
            await self._ban(ip, reason, request_id)
        except DatabaseUnavailable as error:
            _log.warning("ban not written", ip=ip, error=type(error).__name__)

    async def _ban(self, ip: str, reason: str, request_id: str) -> None:
        address = parse_ip(ip)
        if address is None:
            return
        settings, network = self._settings.bans, client_network(address)
        async with self._database.transaction() as connection:
            ban = await bans.offend(
                connection,
                network,
                reason,
                seconds=settings.duration_minutes * 60,
                growth=settings.growth,
                most=settings.max_duration_minutes * 60,
            )
            if ban is not None:
                await connection.execute(
                    "DELETE FROM limit_counter WHERE event = $1 AND key = $2", _EVENT, f"ip:{client_key(ip)}"
                )
                await audit.write(connection, _entry(ban, ip, request_id))
        if ban is not None:
            metrics.BANS_MADE.inc()
            _log.warning(
                "ip_banned",
                ip=ip,
                network=ban.network,
                reason=reason,
                offences=ban.offences,
                until=ban.until.isoformat() if ban.until else None,
                request_id=request_id,
            )
        await self._known.refresh(surely=True)


def _entry(ban: Ban, ip: str, request_id: str) -> audit.Entry:
    return audit.Entry(
        actor="system",
        ip=ip,
        request_id=request_id,
        action="ban.create",
        target=ban.network,
        after={"reason": ban.reason, "offences": ban.offences, "until": ban.until.isoformat() if ban.until else None},
    )
