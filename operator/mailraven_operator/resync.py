"""Looking at everything: first before anything else is done, then every few minutes, whatever the watches told."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Collection, Sequence

import structlog

from mailraven_operator.feed import Feed
from mailraven_operator.kube import NAMESPACES, Kube, KubeError, KubeUnavailable, Resource
from mailraven_operator.metrics import Metrics
from mailraven_operator.resources import Watched
from mailraven_operator.work_queue import WorkQueue

_log = structlog.get_logger(component="resync")
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0


class Resync:
    """`prime` once, then `run`."""

    def __init__(
        self,
        kube: Kube,
        feed: Feed,
        queue: WorkQueue,
        metrics: Metrics,
        *,
        primary: Sequence[Resource],
        secondary: Sequence[Watched],
        namespaces: Collection[str],
        home: str,
        seconds: float,
    ) -> None:
        self._kube = kube
        self._feed = feed
        self._queue = queue
        self._metrics = metrics
        self._primary = primary
        self._secondary = secondary
        self._namespaces = namespaces
        self._home = home
        self._seconds = seconds
        self.served: tuple[Watched, ...] = ()
        """What of the objects of others the cluster has."""
        self._problem = ""
        self._news = 0

    async def prime(self) -> None:
        """Lists everything, however long it takes: no look at a resource before all others are known."""
        pause, told = _FIRST_PAUSE, ""
        while not await self._listed(told):
            told = self._problem
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE, pause * 2)

    async def run(self, watch_anew: Callable[[], Awaitable[None]]) -> None:
        """Until cancelled. `watch_anew` is called when cert-manager came or went, and when a list had news that no
        watch had told: one may be dead. (Or just be on its way: then it is once in vain.)"""
        started = time.monotonic()  # everything was listed just now
        while True:
            await self._look_at_everything(started)
            await asyncio.sleep(self._seconds * random.uniform(0.9, 1.1))  # noqa: S311 - replicas' paces drift apart
            started, served = time.monotonic(), self.served
            if await self._listed("") and (self.served != served or self._news):
                if self._news:
                    _log.warning("watch_missed", objects=self._news)
                await watch_anew()

    async def _look_at_everything(self, started: float) -> None:
        items = self._feed.everything()
        random.shuffle(items)  # not the same ones last each time
        for item in items:
            self._queue.add(item, routine=True)
        await self._queue.drained()
        took = time.monotonic() - started
        self._metrics.resync.set(took)
        self._metrics.resynced_at.set_to_current_time()
        _log.info("resynced", resources=len(items), seconds=round(took, 1))

    async def _listed(self, told: str) -> bool:
        """All kinds into the world; False: something could not be listed. `told`: what was logged already."""
        self._problem, self._news = "", 0
        try:
            self.served = tuple([watched for watched in self._secondary if await self._is_served(watched)])
            for watched in self.served:
                await self._list_others(watched)
            for resource in self._primary:
                await self._list(resource, self._namespaces)
        except KubeUnavailable as error:
            self._problem = str(error)
        except KubeError as error:
            self._problem = error.message
            if error.status == 404:
                self._problem = "the custom resource definitions are not installed"
        if self._problem and self._problem != told:
            _log.warning("not_listed", reason=self._problem)
        return not self._problem

    async def _is_served(self, watched: Watched) -> bool:
        return not watched.optional or await self._kube.serves(watched.resource)

    async def _list(self, resource: Resource, namespaces: Collection[str]) -> None:
        for namespace in namespaces or (None,):
            found = await self._kube.listing(resource, namespace)
            only = () if namespace is None else (namespace,)
            self._news += self._feed.listed(resource.kind, found.items, found.resource_version, only)

    async def _list_others(self, watched: Watched) -> None:
        """Without contents. A Role of a namespace lets us see that Namespace by its name, and list none."""
        if watched.resource is NAMESPACES and self._namespaces:
            for namespace in self._namespaces:
                await self._look_at_namespace(namespace)
            return
        for place in (self._home,) if watched.at_home else self._namespaces or (None,):
            found = await self._kube.listing(
                watched.resource, place, watched.labels, fields=watched.fields, metadata_only=True
            )
            only = () if place is None else (place,)
            self._news += self._feed.listed(watched.resource.kind, found.items, found.resource_version, only)

    async def _look_at_namespace(self, name: str) -> None:
        try:
            found = await self._kube.get(NAMESPACES, None, name)
        except KubeError as error:
            if error.status != 403:  # then its labels are not known, and selectors of them do not match
                raise
            return
        if found is not None:
            self._feed.seen(NAMESPACES.kind, found)
