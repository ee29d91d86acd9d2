"""Who works: one replica, which holds a Lease (coordination.k8s.io) and renews it. kopf starts after it was gained.

Times of the Lease are for people: a replica only looks at whether the Lease changes, by its own clock, so clocks may
differ. A holder that could not renew it for two thirds of its life ends its process, before another may begin.
"""

import asyncio
import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog

from mailraven_operator.kube import LEASES, Kube, KubeError, KubeUnavailable

NAME = "mailraven-operator"
LOST = 3  # exit code
_log = structlog.get_logger(component="lease")


class Lease:
    """`gain`, then `keep` as a task, and `release` at the end. `seen_at` says when the API server last answered."""

    def __init__(
        self,
        kube: Kube,
        namespace: str,
        identity: str,
        seconds: float,
        *,
        end: Callable[[int], None] = os._exit,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kube = kube
        self._namespace = namespace
        self._identity = identity
        self._seconds = seconds
        self._end = end
        self._monotonic = monotonic
        self._watched: tuple[str, float] = ("", monotonic())  # resourceVersion, and since when it is that
        self._held: dict[str, Any] | None = None
        self._renewed_at = 0.0
        self._released = threading.Event()
        self.seen_at = 0.0

    @property
    def deadline(self) -> float:
        """Seconds without renewal after which the process ends."""
        return self._seconds * 2 / 3

    @property
    def held(self) -> bool:
        """Whether this replica is the leader."""
        return self._held is not None

    async def gain(self) -> None:
        """Until it is ours. Asks several times within its life, for as long as it takes."""
        told = ""
        while True:
            try:
                holder = await self._try()
            except (KubeError, KubeUnavailable) as error:
                holder, text = "", str(error)
                if text != told:
                    told = text
                    _log.warning("lease_not_gained", reason=text)
            if self._held is not None:
                break
            if holder and holder != told:
                told = holder
                _log.info("standby", leader=holder)
            await asyncio.sleep(self._seconds / 6)
        _log.info("leading", identity=self._identity)
        threading.Thread(target=self._guard, name="lease-guard", daemon=True).start()

    async def keep(self) -> None:
        """Until cancelled. Ends the process when another one holds the Lease."""
        while True:
            await asyncio.sleep(self._seconds / 6)
            try:
                async with asyncio.timeout(self.deadline / 2):
                    await self._renew()
            except (KubeError, KubeUnavailable, TimeoutError) as error:
                _log.warning("lease_not_renewed", reason=str(error) or "the API server does not answer in time")

    async def release(self) -> None:
        """Lets others begin at once. That it fails costs them the rest of its life."""
        self._released.set()
        held, self._held = self._held, None
        if held is None:
            return
        held["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": _now()}
        try:
            async with asyncio.timeout(5):
                await self._kube.replace(held, LEASES)
            _log.info("lease_released")
        except (KubeError, KubeUnavailable, TimeoutError) as error:
            _log.warning("lease_not_released", reason=str(error) or "the API server does not answer in time")

    async def _try(self) -> str:
        """One attempt; who holds it if we do not."""
        found = await self._kube.get(LEASES, self._namespace, NAME)
        now = self.seen_at = self._monotonic()
        if found is None:
            await self._take(None, now)
            return ""
        version, spec = found["metadata"]["resourceVersion"], found.get("spec") or {}
        if version != self._watched[0]:
            self._watched = (version, now)
        holder = str(spec.get("holderIdentity") or "")
        life = max(float(spec.get("leaseDurationSeconds") or 0), 1.0)
        if holder not in ("", self._identity) and now - self._watched[1] < life:
            return holder
        await self._take(found, now)
        return ""

    async def _take(self, found: dict[str, Any] | None, asked_at: float) -> None:
        """Of several that try at once the API server lets one."""
        spec = (found or {}).get("spec") or {}
        transitions = int(spec.get("leaseTransitions") or 0) + (found is not None)
        metadata = {"namespace": self._namespace, "name": NAME}
        wanted = {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": metadata,
            "spec": self._spec() | {"acquireTime": _now(), "leaseTransitions": transitions},
        }
        try:
            if found is None:
                self._held = await self._kube.create(wanted, LEASES)
            else:
                metadata["resourceVersion"] = found["metadata"]["resourceVersion"]
                self._held = await self._kube.replace(wanted, LEASES)
        except KubeError as error:
            if error.status != 409:
                raise
            return
        # From when we asked: the Lease is not older than that for anybody else.
        self._renewed_at = asked_at

    async def _renew(self) -> None:
        if self._held is None:
            return
        asked_at = self._monotonic()
        wanted = {**self._held, "spec": self._held["spec"] | self._spec()}
        try:
            self._held = await self._kube.replace(wanted, LEASES)
        except KubeError as error:
            if error.status not in (404, 409):
                raise
            await self._after_conflict()
            return
        self._renewed_at = self.seen_at = asked_at

    async def _after_conflict(self) -> None:
        """Somebody wrote to it: another leader, or a person with kubectl; or it was deleted."""
        found = await self._kube.get(LEASES, self._namespace, NAME)
        if found is not None and (found.get("spec") or {}).get("holderIdentity") != self._identity:
            self._lose("another replica holds the lease")
        elif found is not None:
            self._held = found
        else:
            asked_at = self._monotonic()
            wanted = {**(self._held or {})}
            wanted["metadata"] = {"namespace": self._namespace, "name": NAME}
            try:
                self._held = await self._kube.create(wanted, LEASES)
            except KubeError as error:
                if error.status != 409:
                    raise
                self._lose("another replica holds the lease")
                return
            self._renewed_at = asked_at

    def _spec(self) -> dict[str, Any]:
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": max(1, round(self._seconds)),
            "renewTime": _now(),
        }

    def _guard(self) -> None:
        """A thread: it also sees a leader whose event loop stands still."""
        while not self._released.wait(min(0.5, self._seconds / 30)):
            if self._monotonic() - self._renewed_at > self.deadline:
                self._lose(f"the lease was not renewed for {self.deadline:.0f} seconds")
                return

    def _lose(self, reason: str) -> None:
        _log.error("lease_lost", reason=reason)
        self._end(LOST)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
