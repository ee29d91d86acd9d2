"""The parts put together: become the leader, see everything, watch, and work off the queue."""

import asyncio
import contextlib
import secrets
import signal
import socket
import time
from collections.abc import Sequence

import structlog

from mailraven_operator.cluster import Cluster
from mailraven_operator.context import Context
from mailraven_operator.feed import Feed
from mailraven_operator.health import Health
from mailraven_operator.kind import Kind
from mailraven_operator.kube import NAMESPACES, Kube, Resource
from mailraven_operator.lease import Lease
from mailraven_operator.metrics import Metrics
from mailraven_operator.reconciler import Reconciler
from mailraven_operator.resources import SECONDARY, Watched, ours
from mailraven_operator.resync import Resync
from mailraven_operator.server import Server
from mailraven_operator.settings import Settings
from mailraven_operator.watch import Watch
from mailraven_operator.work_queue import Again, Item, WorkQueue
from mailraven_operator.world import World

_log = structlog.get_logger(component="operator")
_STOP_SECONDS = 15.0  # for what is begun when the process is told to end
_SILENCE = 60.0  # seconds without an answer of the API server after which a standby is not ready


class Operator:
    """One replica. `run` ends when `stop` was called, or raises what nobody can mend."""

    def __init__(self, settings: Settings, kinds: Sequence[Kind], cluster: Cluster | None = None) -> None:
        self._settings = settings
        self._kinds = kinds
        self.world = World()
        self.metrics = Metrics()
        self._kube = Kube(cluster or Cluster(), self.world.version)
        self._server = Server(str(settings.server_url), settings.token_file)
        identity = settings.identity or socket.gethostname()
        # A pod that is restarted in place is another holder: its old self may still be in the Lease.
        self._lease = Lease(
            self._kube, settings.namespace, f"{identity}_{secrets.token_hex(4)}", settings.lease_seconds
        )
        context = Context(self._kube, self._server, self.world, settings)
        self._reconcilers = {kind.model.KIND: Reconciler(kind, context, self.metrics) for kind in kinds}
        self.queue = WorkQueue(self._look, concurrency=settings.concurrency, longest_pause=settings.backoff_longest)
        self._feed = Feed(self.world, kinds, self.queue)
        self._primary = [ours(kind.model.KIND, kind.plural) for kind in kinds]
        self._resync = Resync(
            self._kube, self._feed, self.queue, self.metrics,
            primary=self._primary, secondary=SECONDARY, namespaces=settings.watched, home=settings.namespace,
            seconds=settings.resync_seconds,
        )  # fmt: skip
        self._watches: tuple[Watch, ...] = ()
        self._primed = False
        self._stopping = asyncio.Event()
        self.health = Health(settings.host, settings.port, self.metrics, self._problem, self._measure)

    async def run(self, *, signals: bool = True) -> None:
        """`signals`: SIGTERM and SIGINT call `stop`. Raises OSError when its port is taken."""
        port = await self.health.start()
        if signals:
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, self.stop)
        _log.info("started", namespace=self._settings.namespace, port=port, watches=self._settings.watched or "all")
        async with self._kube, self._server:
            leading = asyncio.create_task(self._lead())
            stopping = asyncio.create_task(self._stopping.wait())
            try:
                await asyncio.wait({leading, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if leading.done():
                    await leading
                await self._finish_begun()
            finally:
                for task in (leading, stopping):
                    task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await leading
                await self._stop_watches()
                await self._lease.release()
                self.metrics.leader.set(0)
                await self.health.stop()
        _log.info("stopped")

    @property
    def ready(self) -> bool:
        """Whether it leads, and has seen everything."""
        return self._primed

    def stop(self) -> None:
        """Finish what is begun, release the Lease, and end."""
        self._stopping.set()

    async def _lead(self) -> None:
        await self._lease.gain()
        self.metrics.leader.set(1)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._lease.keep())
            await self._resync.prime()
            self._primed = True
            await self._watch_anew()
            tasks.create_task(self.queue.run())
            tasks.create_task(self._resync.run(self._watch_anew))

    async def _watch_anew(self) -> None:
        """Also when cert-manager came or went, and when the watches missed something. kopf watches everything in the
        same namespaces: for Jobs, which are at home only, it takes another one."""
        await self._stop_watches()
        served, everywhere = self._resync.served, self._settings.watched
        wide = [
            watched
            for watched in served
            # A Role of some namespaces allows no watch of Namespaces; the resync looks at them.
            if not watched.at_home and (watched.resource is not NAMESPACES or not everywhere)
        ]
        at_home = [watched for watched in served if watched.at_home]
        self._watches = (
            self._watch("wide", self._primary, wide, everywhere),
            self._watch("home", (), at_home, (self._settings.namespace,)),
        )
        for watch in self._watches:
            watch.start()

    def _watch(
        self, name: str, primary: Sequence[Resource], secondary: Sequence[Watched], namespaces: Sequence[str]
    ) -> Watch:
        broke_off = self.metrics.watch_restarts.inc
        served = self._kube.serves_all
        return Watch(name, primary, secondary, namespaces, self._feed.event, served=served, broke_off=broke_off)

    async def _stop_watches(self) -> None:
        await asyncio.gather(*(watch.stop() for watch in self._watches))

    async def _finish_begun(self) -> None:
        self.queue.close()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await self.queue.drained()
        except TimeoutError:
            _log.warning("stopped_midway", seconds=_STOP_SECONDS)

    async def _look(self, item: Item) -> Again:
        kind, namespace, name = item
        return await self._reconcilers[kind].look((namespace, name))

    def _problem(self) -> str:
        """Why this replica is not ready."""
        if self._lease.held and not self._primed:
            return "the resources are not listed yet"
        if not self._lease.held and time.monotonic() - self._lease.seen_at > _SILENCE:
            return "the API server does not answer"
        return ""

    def _measure(self) -> None:
        """What is only worth counting when somebody asks."""
        self.metrics.queue.labels("ready").set(len(self.queue))
        self.metrics.queue.labels("delayed").set(self.queue.delayed)
        for kind in self._reconcilers:
            invalid = len(self.world.invalid[kind])
            self.metrics.resources.labels(kind, "invalid").set(invalid)
            self.metrics.resources.labels(kind, "valid").set(len(self.world.keys(kind)) - invalid)
