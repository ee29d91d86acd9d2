"""What the daemons ask before they let something happen: limits and bans of a client, an account, a token.

Answers come from memory where they can (mailraven.limits.counters); where Postgres is away everything passes.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

import structlog

from mailraven.db import Database, DatabaseUnavailable, acquire_lease
from mailraven.limits import bans, counter_sql
from mailraven.limits.attempts import Attempts
from mailraven.limits.bans import BanList
from mailraven.limits.buckets import Bucket, Buckets
from mailraven.limits.clients import client_key
from mailraven.limits.counters import Counters
from mailraven.limits.exemptions import Exemptions
from mailraven.limits.guard import Guard
from mailraven.limits.logins import KnownLogins
from mailraven.limits.model import ALLOWED, Ban, Cost, CounterKey, Decision, describe
from mailraven.limits.occupancy import Occupancy
from mailraven.limits.offences import Offences
from mailraven.limits.policies import CHANNEL, Subject
from mailraven.limits.rules import NOBODY, Facts, Rules
from mailraven.limits.weighing import Charge, Weighing
from mailraven.settings import Settings
from mailraven_api.limits import Event, Scope

POLL_SECONDS = 1.5  # bans made elsewhere are obeyed within 2 s, also when a notification is lost
_RESYNC_SECONDS = 60.0
_HOUSEKEEPING_SECONDS = 600.0
_PURGES, _PURGED = 200, 5000  # statements of one cleaning, rows of each

_log = structlog.get_logger(component="limits")


class Gate:
    """One for a process. Make it before the database's listener starts."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        *,
        trusted_networks: Iterable[str] = (),
        clock: Callable[[], float] = time.monotonic,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        """`trusted_networks` are the proxies of the configuration: never counted, never banned."""
        self._database = database
        self._settings = settings
        self._clock = clock
        self._poll_seconds = poll_seconds
        self.exemptions = Exemptions(settings, trusted_networks)
        self.rules = Rules(database, clock=clock)
        self.counters = Counters(database, clock=clock)
        self.bans = BanList(database, clock=clock)
        self._buckets = Buckets(database, clock=clock)
        self._offences = Offences(database, self.counters, settings, self.bans)
        self._weighing = Weighing(self.counters, self._offences)
        self._attempts = Attempts(self.rules, self._weighing, KnownLogins(database, clock=clock), clock=clock)
        self.guard = Guard(database, settings, self.exemptions, clock=clock)
        self._occupancies: dict[str, Occupancy] = {}
        self._token = secrets.token_hex(16)
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        database.listener.subscribe(CHANNEL, self._notified)

    async def start(self) -> None:
        """Learn the bans, and hear of new ones from now on."""
        try:
            await self.bans.refresh(surely=True)
        except DatabaseUnavailable as error:
            _log.warning("bans not read", error=type(error).__name__)
        await self.rules.load()
        self._task = asyncio.create_task(self._tend(), name="limits-tend")

    async def close(self) -> None:
        """Give back what is leased; the database stays open."""
        self._database.listener.unsubscribe(CHANNEL, self._notified)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.guard.close()
        self._attempts.close()
        await self.rules.close()
        await self._buckets.close()
        await self.counters.close()

    # -- who -----------------------------------------------------------------------------------------------------

    def exempt(self, ip: str) -> bool:
        """Never counted by address, never banned."""
        return self.exemptions.network(ip) is not None

    def banned(self, ip: str) -> Ban | None:
        """From memory. An exempt network beats every ban."""
        ban = self.bans.find(ip)
        return None if ban is None or self.exempt(ip) else ban

    def on_ban(self, callback: Callable[[], None]) -> None:
        """Called when bans have changed: connections of who is banned end."""
        self.bans.subscribe(callback)

    def occupancy(self, protocol: str) -> Occupancy:
        """The connections of a protocol in this process."""
        found = self._occupancies.get(protocol)
        if found is None:
            found = Occupancy(lambda: self._settings.limits.max_connections_per_ip, self.exempt)
            self._occupancies[protocol] = found
        return found

    # -- what --------------------------------------------------------------------------------------------------

    async def connection(self, ip: str, protocol: str, *, request_id: str = "") -> Decision:
        """A new connection: is the client banned, has it (SMTP) come too often?"""
        if (ban := self.banned(ip)) is not None:
            return Decision(False, ban=ban)
        if protocol != "smtp" or self.exempt(ip):
            return ALLOWED
        await self.rules.load()
        charges = self._of_ip(ip, Event.SMTP_CONNECTIONS)
        return await self._weighing.weigh(charges, ip=ip, request_id=request_id)

    async def message(
        self,
        ip: str,
        account_id: int | None,
        domain_id: int | None,
        sender: str,
        recipients: int,
        *,
        request_id: str = "",
    ) -> Decision:
        """A message that is about to be taken; if it is not in the end, refund() the decision."""
        if self.exemptions.sender(sender):
            return ALLOWED
        await self.rules.load()
        facts = await self._facts(account_id)
        if facts.address and self.exemptions.account(facts.address):
            return ALLOWED
        charges = [] if self.exempt(ip) else self._of_ip(ip, Event.SMTP_MESSAGES, sender=sender)
        if facts is not NOBODY:
            subject = _subject(facts, ip=ip, sender=sender)
            for event, events in ((Event.MESSAGES, 1), (Event.RECIPIENTS, recipients)):
                charges += self._charges(Scope.ACCOUNT, event, facts.address, subject, facts, events)
                charges += self._charges(Scope.DOMAIN, event, facts.domain, subject, facts, events)
        return await self._weighing.weigh(charges, ip=ip, account=facts.address, request_id=request_id)

    def submitted(self, account_id: int, recipients: Iterable[str]) -> None:
        """A message of an account was taken; its foreign recipients, for the guard of accounts taken over."""
        self.guard.submitted(account_id, recipients)

    def refund(self, decision: Decision) -> None:
        """What was decided about did not happen."""
        self.counters.refund(decision.charged)

    async def login_allowed(self, ip: str, login: str, *, request_id: str = "") -> Decision:
        """Before a password is looked at. Follow it by login_failed, login_succeeded or login_undecided."""
        if (ban := self.banned(ip)) is not None:
            return Decision(False, ban=ban)
        await self.rules.load()
        of_ip = [] if self.exempt(ip) else self._of_ip(ip, Event.AUTH_FAILURES)
        return await self._attempts.begin(ip, login, of_ip, self._of_login, request_id=request_id)

    async def login_failed(self, ip: str, login: str, protocol: str) -> None:
        """The password was wrong."""
        await self.rules.load()
        of_ip = [] if self.exempt(ip) else self._of_ip(ip, Event.AUTH_FAILURES)
        await self._attempts.failed(ip, login, of_ip, self._of_login)

    async def login_succeeded(self, ip: str, login: str, protocol: str) -> None:
        """It was right."""
        await self._attempts.succeeded(ip, login)

    def login_undecided(self, ip: str, login: str) -> None:
        """It could not be looked at."""
        self._attempts.undecided(ip, login)

    async def api_request(self, ip: str, token: str | None, *, request_id: str = "") -> Decision:
        """`token` is the name of an API token, or of a browser session; None: the client has neither."""
        if (ban := self.banned(ip)) is not None:
            return Decision(False, ban=ban)
        if self.exempt(ip):
            return ALLOWED
        await self.rules.load()
        charges: list[Charge] = []
        if token is not None:
            subject = Subject(ip=ip, token=token)
            charges = self._charges(Scope.TOKEN, Event.API_REQUESTS, token, subject)
        decision = await self._weighing.weigh(charges, ip=ip, token=token or "", request_id=request_id)
        if not decision.allowed:
            return decision
        for rule in self.rules.of(Scope.IP, Event.API_REQUESTS, Subject(ip=ip)):
            counter = CounterKey(Event.API_REQUESTS.value, f"ip:{client_key(ip)}", rule.limit.window_seconds)
            bucket = Bucket(counter, rule.limit.count, self._settings.limits.api_burst)
            poured = await self._buckets.pour(bucket)
            what = describe("api_requests", "ip", bucket.count, counter.window_seconds)
            this = Decision(
                poured.allowed, bucket.count, poured.remaining, poured.wait_seconds, what, counter.window_seconds
            )
            if not poured.allowed and rule.action != "log":
                self.counters.refund(decision.charged)
                await self._weighing.exceeded_pace(rule, this, ip=ip, token=token or "", request_id=request_id)
                return this
            if not decision.limit or this.remaining < decision.remaining:
                decision = replace(this, allowed=True, charged=decision.charged)
        return decision

    # -- inside ------------------------------------------------------------------------------------------------

    def _of_ip(self, ip: str, event: Event, *, sender: str = "") -> list[Charge]:
        return self._charges(Scope.IP, event, client_key(ip), Subject(ip=ip, sender=sender))

    def _of_login(self, facts: Facts, ip: str) -> list[Charge]:
        return self._charges(Scope.ACCOUNT, Event.AUTH_FAILURES, facts.address, _subject(facts, ip=ip), facts)

    def _charges(
        self, scope: Scope, event: Event, who: str, subject: Subject, facts: Facts = NOBODY, events: int = 1
    ) -> list[Charge]:
        key = f"{scope.value}:{who}"
        return [
            Charge(
                Cost(CounterKey(event.value, key, rule.limit.window_seconds), rule.limit.count, events),
                rule,
                scope,
                event,
            )
            for rule in self.rules.of(scope, event, subject, facts)
        ]

    async def _facts(self, account_id: int | None) -> Facts:
        if account_id is None:
            return NOBODY
        try:
            return await self.rules.account(account_id)
        except DatabaseUnavailable:
            return NOBODY

    def _notified(self, payload: str | None) -> None:
        if payload is None or "bans" in payload.split(","):
            self._wake.set()

    async def _tend(self) -> None:
        resync = housekeeping = self._clock()
        while True:
            with contextlib.suppress(TimeoutError):  # not wait_for: in 3.11 it may swallow the end of this task
                async with asyncio.timeout(self._poll_seconds):
                    await self._wake.wait()
            self._wake.clear()
            now = self._clock()
            try:
                await self.bans.refresh(surely=now - resync >= _RESYNC_SECONDS)
                resync = now if now - resync >= _RESYNC_SECONDS else resync
                self._attempts.expire()
                await self.guard.tend()
                if now - housekeeping >= _HOUSEKEEPING_SECONDS:
                    housekeeping = now
                    await self._clean()
            except DatabaseUnavailable:
                continue  # what is known goes on holding
            except Exception as error:  # noqa: BLE001 - bans must go on being obeyed
                _log.error("limits not tended", exc_info=error)

    async def _clean(self) -> None:
        """Counters of windows long past, and offences of long ago: by one process at a time."""
        async with self._database.acquire() as connection:
            if await acquire_lease(connection, "limits", self._token, _HOUSEKEEPING_SECONDS / 2) is None:
                return
            for _ in range(_PURGES):
                if await connection.execute(counter_sql.PURGE, _PURGED) != f"DELETE {_PURGED}":
                    break
            await bans.forget_offences(connection)


def _subject(facts: Facts, *, ip: str, sender: str = "") -> Subject:
    return Subject(
        ip=ip,
        account=facts.address,
        account_labels=facts.labels,
        domain=facts.domain,
        domain_labels=facts.domain_labels,
        sender=sender,
    )
