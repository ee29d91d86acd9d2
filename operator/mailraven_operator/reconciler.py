"""One look at one resource: from what is stored to what is written about it. Nothing leaves it but cancellation."""

import asyncio
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog

from mailraven_api.kubernetes import FINALIZER, PAUSE_ANNOTATION
from mailraven_operator.context import Context
from mailraven_operator.failures import Failure, judged
from mailraven_operator.kind import Kind
from mailraven_operator.kube import KubeError
from mailraven_operator.metrics import Metrics
from mailraven_operator.outcome import READY, ConditionValue, Event, Outcome, Problem
from mailraven_operator.resource_writer import ResourceWriter
from mailraven_operator.resources import ours
from mailraven_operator.status import PAUSED, desired_status, kept, stored_condition, transition
from mailraven_operator.work_queue import Again
from mailraven_operator.world import Key

# A resource that was Ready stays so for this many seconds while a server restarts.
_GRACE = 10.0


class Reconciler:
    """For one kind."""

    def __init__(self, kind: Kind, context: Context, metrics: Metrics) -> None:
        self.kind = kind
        self.name: str = kind.model.KIND
        self._context = context
        self._metrics = metrics
        self._writer = ResourceWriter(context.kube, context.world, ours(self.name, kind.plural))
        self._log = structlog.get_logger(component="reconcile", kind=self.name)
        # When a look first failed for a passing reason, by (key, uid); until one succeeds.
        self._failing_since: dict[tuple[Key, str], float] = {}
        self._told: dict[Key, tuple[str, str, str]] = {}

    async def look(self, key: Key) -> Again:
        """Once. Problems end as conditions, defects in the log too."""
        started = time.perf_counter()
        result = "error"
        try:
            again, result = await self._look(key)
        except Exception as error:  # noqa: BLE001 - the status could not be written: tried again
            failure = judged(error)
            if failure.problem.reason == "InternalError":
                self._log.exception("reconcile_failed", namespace=key[0], name=key[1])
            else:
                result = "problem"
                self._log.warning("status_not_written", namespace=key[0], name=key[1], reason=failure.problem.message)
            again = Again(failed=True)
        self._metrics.duration.labels(self.name).observe(time.perf_counter() - started)
        self._metrics.reconciles.labels(self.name, result).inc()
        return again

    async def _look(self, key: Key) -> tuple[Again, str]:
        world = self._context.world
        invalid = world.invalid[self.name].get(key)
        resource = world.resource(self.name, key)
        if invalid is None and resource is None:
            self._failing_since = {known: since for known, since in self._failing_since.items() if known[0] != key}
            self._told.pop(key, None)
            return Again(), "ok"
        metadata = invalid.metadata if invalid is not None else _metadata(resource)
        uid = str(metadata.get("uid", ""))
        if metadata.get("deletionTimestamp"):
            return await self._delete(key, uid, metadata, resource)
        if _paused(metadata):
            await self._write(key, metadata, None, kept(world.raw_status(self.name, key), PAUSED))
            return Again(), "ok"
        if invalid is not None:
            return await self._report(key, metadata, Problem("InvalidSpec", invalid.error, retry=False))
        try:
            async with asyncio.timeout(self._context.settings.reconcile_timeout):
                if self.kind.finalizes and FINALIZER not in metadata["finalizers"]:
                    if not await self._writer.add_finalizer(key, metadata):
                        return Again(), "ok"
                    resource = world.resource(self.name, key)
                    if resource is None or resource.metadata.deletion_timestamp is not None:
                        return Again(failed=resource is not None), "ok"
                outcome = await self.kind.reconcile(self._context, resource)
        except Exception as error:  # noqa: BLE001 - every error becomes a condition; a defect is logged with its stack
            return await self._failed(key, uid, metadata, error)
        self._failing_since.pop((key, uid), None)
        await self._succeeded(key, uid, metadata, outcome)
        return Again(after=outcome.requeue_after), "ok"

    async def _succeeded(self, key: Key, uid: str, metadata: Mapping[str, Any], outcome: Outcome) -> None:
        conditions = outcome.conditions
        if not any(condition.type == READY for condition in conditions):
            conditions = (*conditions, ConditionValue(READY, True, "Reconciled"))
        if outcome.repaired:
            self._metrics.repaired.labels(self.name).inc(len(outcome.repaired))
            self._log.info("drift_repaired", namespace=key[0], name=key[1], what=list(outcome.repaired))
        await self._write(key, metadata, outcome.status, conditions)
        for event in outcome.events:
            await self._writer.event(key, uid, event, self._now())

    async def _failed(self, key: Key, uid: str, metadata: Mapping[str, Any], error: Exception) -> tuple[Again, str]:
        failure = self._judged(key, error)
        since = self._failing_since.setdefault((key, uid), time.monotonic()) if failure.passing else None
        if since is not None and time.monotonic() - since < _GRACE and self._was_ready(key, metadata):
            return Again(failed=True), "problem"
        if since is None:
            self._failing_since.pop((key, uid), None)
        return await self._report(key, metadata, failure.problem)

    def _judged(self, key: Key, error: Exception) -> Failure:
        failure = judged(error)
        self._metrics.problems.labels(self.name, failure.problem.reason).inc()
        if failure.problem.reason == "InternalError":
            self._log.error("reconcile_failed", namespace=key[0], name=key[1], exc_info=error)
        return failure

    def _was_ready(self, key: Key, metadata: Mapping[str, Any]) -> bool:
        """Of this very generation: what was not tried yet is not covered by an old success."""
        ready = stored_condition(self._context.world.raw_status(self.name, key), READY)
        return (
            ready is not None
            and ready.get("status") == "True"
            and ready.get("observedGeneration") == metadata.get("generation")
        )

    async def _report(self, key: Key, metadata: Mapping[str, Any], problem: Problem) -> tuple[Again, str]:
        """A problem as conditions: what it tells itself, else those of before, and Ready=False."""
        ready = ConditionValue(READY, False, problem.reason, problem.message)
        others = problem.conditions or kept(self._context.world.raw_status(self.name, key), READY, PAUSED)
        others = tuple(condition for condition in others if condition.type != READY)
        await self._write(key, metadata, problem.status, (*others, ready))
        return Again(failed=problem.retry), "error" if problem.reason == "InternalError" else "problem"

    async def _write(
        self,
        key: Key,
        metadata: Mapping[str, Any],
        fields: Mapping[str, Any] | None,
        conditions: tuple[ConditionValue, ...],
    ) -> None:
        """`fields` None: those that are stored."""
        before = self._context.world.raw_status(self.name, key)
        if _paused(metadata):
            text = f"the annotation {PAUSE_ANNOTATION} is set"
            conditions = (ConditionValue(PAUSED, True, "Paused", text), *conditions)
        if fields is None:
            fields = {name: value for name, value in before.items() if name not in ("conditions", "observedGeneration")}
        after = desired_status(before, fields, conditions, int(metadata.get("generation") or 0), self._now())
        uid = str(metadata.get("uid", ""))
        try:
            written = await self._writer.status(key, uid, after)
        except KubeError as error:
            if error.status != 422:
                raise
            await self._tell(key, uid, conditions[-1])
            return
        if not written:
            return
        self._metrics.status_writes.labels(self.name).inc()
        event = transition(before, after)
        if event is not None:
            self._log.info("ready_changed", namespace=key[0], name=key[1], reason=event.reason, text=event.message)
            await self._writer.event(key, uid, event, self._now())

    async def _tell(self, key: Key, uid: str, ready: ConditionValue) -> None:
        """The API server takes no status of a resource that it finds invalid itself: an Event, once for each cause."""
        if self._told.get(key) == (uid, ready.reason, ready.message):
            return
        self._told[key] = (uid, ready.reason, ready.message)
        self._log.warning("status_refused", namespace=key[0], name=key[1], reason=ready.reason, text=ready.message)
        event = Event(ready.reason, ready.message, warning=ready.status is not True)
        await self._writer.event(key, uid, event, self._now())

    async def _delete(self, key: Key, uid: str, metadata: Mapping[str, Any], resource: Any) -> tuple[Again, str]:
        """Finalizes and lets go."""
        if FINALIZER not in (metadata.get("finalizers") or ()):
            return Again(), "ok"
        warning = None
        if _paused(metadata):
            warning = Event("ReleasedWhilePaused", "deleted while paused: the server was not told", warning=True)
        elif resource is None:
            warning = Event("ReleasedInvalid", "deleted with an invalid spec: the server was not told", warning=True)
        else:
            try:
                async with asyncio.timeout(self._context.settings.reconcile_timeout):
                    await self.kind.finalize(self._context, resource)
            except Exception as error:  # noqa: BLE001 - as in `_look`
                failure = self._judged(key, error)
                warning = self._given_up(key, uid, failure)
                if warning is None:
                    return await self._report(key, metadata, _deleting(failure.problem))
        if warning is not None:
            self._log.warning("released", namespace=key[0], name=key[1], reason=warning.reason, text=warning.message)
            await self._writer.event(key, uid, warning, self._now())
        self._failing_since.pop((key, uid), None)
        await self._writer.remove_finalizer(key, metadata)
        return Again(), "ok" if warning is None else "problem"

    def _given_up(self, key: Key, uid: str, failure: Failure) -> Event | None:
        """A server that is gone holds up nobody for longer than `finalizer_timeout`. One that refuses does: then
        somebody has to decide, and the condition says what about."""
        if not failure.passing and failure.problem.reason != "InternalError":
            self._failing_since.pop((key, uid), None)
            return None
        waited = time.monotonic() - self._failing_since.setdefault((key, uid), time.monotonic())
        if waited < self._context.settings.finalizer_timeout:
            return None
        text = f"deleted although it could not be finalized for {waited:.0f} seconds: {failure.problem.message}"
        return Event("FinalizerTimeout", text, warning=True)

    def _now(self) -> datetime:
        return self._context.clock()


def _deleting(problem: Problem) -> Problem:
    return Problem("Deleting", f"{problem.reason}: {problem.message}", conditions=problem.conditions)


def _paused(metadata: Mapping[str, Any]) -> bool:
    return str((metadata.get("annotations") or {}).get(PAUSE_ANNOTATION, "")).lower() == "true"


def _metadata(resource: Any) -> Mapping[str, Any]:
    """Of a parsed resource, as documents have it; times stay what they are."""
    metadata = resource.metadata
    return {
        "uid": metadata.uid,
        "generation": metadata.generation,
        "resourceVersion": metadata.resource_version,
        "deletionTimestamp": metadata.deletion_timestamp,
        "annotations": metadata.annotations,
        "finalizers": list(metadata.finalizers),
    }
