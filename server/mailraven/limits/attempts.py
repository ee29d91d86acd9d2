"""Log-ins that are being tried. Each books a failure before the password is looked at; a right one gives it back.

So guesses on many connections at once are no more than guesses one after the other, and a right password is refused
over the limit, without a hash. Many right log-ins at once (an office in the morning) wait for each other's booking.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Sequence

from mailraven.db import DatabaseUnavailable
from mailraven.limits.clients import client_key
from mailraven.limits.logins import KnownLogins
from mailraven.limits.model import ALLOWED, Charged, Decision
from mailraven.limits.rules import NOBODY, Facts, Rules
from mailraven.limits.weighing import Charge, Weighing
from mailraven_api.limits import Scope

WAIT_SECONDS = 2.0
FORGOTTEN_SECONDS = 60.0  # a booking that nobody has settled
_POLL_SECONDS = 0.1
_REMEMBERED = 10_000

_Attempt = tuple[str, str]
_OfLogin = Callable[[Facts, str], list[Charge]]


class Attempts:
    """One for a process."""

    def __init__(
        self, rules: Rules, weighing: Weighing, known: KnownLogins, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rules = rules
        self._weighing = weighing
        self._known = known
        self._clock = clock
        self._booked: defaultdict[_Attempt, list[tuple[float, Sequence[Charged]]]] = defaultdict(list)
        self._clients: Counter[str] = Counter()
        self._failed_here: OrderedDict[str, None] = OrderedDict()

    async def begin(
        self, ip: str, login: str, of_ip: Sequence[Charge], of_login: _OfLogin, *, request_id: str
    ) -> Decision:
        """Book a failure on the counters of the address and of the account's name."""
        facts = await self._facts(login)
        charges = [*of_ip, *(of_login(facts, ip) if facts.address else ())]
        if not charges:
            return ALLOWED
        # Who signed in from here lately books nothing: he is only asked whether there is room.
        spend = not (facts.address and self._known.remembers(facts.address, ip))
        decision, refusing = await self._try(ip, charges, facts, spend)
        deadline = self._clock() + WAIT_SECONDS
        while refusing is not None and self._may_clear_up(ip, refusing) and self._clock() < deadline:
            await asyncio.sleep(_POLL_SECONDS)
            decision, refusing = await self._try(ip, charges, facts, spend)
        if refusing is not None:
            await self._weighing.exceeded(refusing, decision, ip=ip, account=facts.address, request_id=request_id)
        elif decision.charged:
            self._booked[_attempt(ip, login)].append((self._clock(), decision.charged))
            self._clients[client_key(ip)] += 1
        return decision

    async def failed(self, ip: str, login: str, of_ip: Sequence[Charge], of_login: _OfLogin) -> None:
        """The booking stays; who had none is charged now."""
        facts = await self._facts(login)
        charges = [*of_ip, *(of_login(facts, ip) if facts.address else ())]
        if self._settle(ip, login) is None and charges:
            await self._weighing.attempt(charges)
        for charge in charges:
            self._failed_here[charge.cost.counter.key] = None
            self._failed_here.move_to_end(charge.cost.counter.key)
        while len(self._failed_here) > _REMEMBERED:
            self._failed_here.popitem(last=False)

    async def succeeded(self, ip: str, login: str) -> None:
        """The booking is given back, and the account is known to sign in from here."""
        self.undecided(ip, login)
        facts = await self._facts(login)
        if facts.account_id is not None:
            await self._known.add(facts.address, ip)

    def undecided(self, ip: str, login: str) -> None:
        """The booking is given back."""
        charged = self._settle(ip, login)
        if charged is not None:
            self._weighing.refund(charged)

    def expire(self) -> None:
        """Give back bookings that nobody has settled."""
        latest = self._clock() - FORGOTTEN_SECONDS
        for attempt, booked in list(self._booked.items()):
            while booked and booked[0][0] <= latest:
                self.undecided(*attempt)

    def close(self) -> None:
        """Give back all bookings."""
        for attempt, booked in list(self._booked.items()):
            while booked:
                self.undecided(*attempt)

    async def _try(
        self, ip: str, charges: Sequence[Charge], facts: Facts, spend: bool
    ) -> tuple[Decision, Charge | None]:
        decision, refusing = await self._weighing.attempt(charges, spend=spend)
        if refusing is None or refusing.scope is not Scope.ACCOUNT or not await self._known.find(facts.address, ip):
            return decision, refusing
        # A stranger's guesses do not lock out the owner where he signs in from.
        rest = [charge for charge in charges if charge.scope is not Scope.ACCOUNT]
        return await self._weighing.attempt(rest, spend=spend) if rest else (ALLOWED, None)

    def _may_clear_up(self, ip: str, refusing: Charge) -> bool:
        """Others' bookings refuse, not failures: here, or (as no failure was seen here) in another process."""
        return self._clients[client_key(ip)] > 0 or refusing.cost.counter.key not in self._failed_here

    def _settle(self, ip: str, login: str) -> Sequence[Charged] | None:
        attempt = _attempt(ip, login)
        booked = self._booked.get(attempt)
        if not booked:
            return None
        _, charged = booked.pop(0)
        if not booked:
            del self._booked[attempt]
        client = client_key(ip)
        self._clients[client] -= 1
        if self._clients[client] <= 0:
            del self._clients[client]
        return charged

    async def _facts(self, login: str) -> Facts:
        try:
            return await self._rules.login(login)
        except DatabaseUnavailable:
            return NOBODY


def _attempt(ip: str, login: str) -> _Attempt:
    return client_key(ip), login
