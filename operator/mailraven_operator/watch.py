"""kopf as the watcher: in a thread and an event loop of its own, it tells what it sees. It writes nothing.

Why so, and what would go wrong otherwise: docs/operator.md, "kopf".
"""

import asyncio
import functools
import threading
import time
from collections.abc import Callable, Collection, Coroutine, Sequence
from typing import Any

import aiohttp
import kopf
import structlog

from mailraven_operator.cluster import Cluster, NoCluster
from mailraven_operator.kube import Resource
from mailraven_operator.resources import Watched

_log = structlog.get_logger(component="watch")
Deliver = Callable[[str, str | None, dict[str, Any]], None]
"""Kind; None (was there at the start), ADDED, MODIFIED or DELETED; the object, of others only its metadata."""
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_ASK_SECONDS = 60.0
_OPEN_SECONDS = 20.0  # in which kopf has to have opened all streams
_STREAM_SECONDS = 240  # life of a stream; an int, for the API server takes no other
_RENEW_SECONDS = _STREAM_SECONDS + 90.0  # in which each stream has to be opened anew
_END_SECONDS = 10.0  # for kopf to end; then it is left where it is
_TICK = 1.0
_LINGER = 0.25  # connections with TLS end a little after their session was closed
_STEADY = 120.0  # seconds after which a watch that broke off is not one that never worked


class NotWatching(Exception):
    """kopf found less than there is, as when the API server starts at the same time."""


class Watch:
    """Restarts kopf when it gives up, for as long as it takes."""

    def __init__(
        self,
        name: str,
        primary: Sequence[Resource],
        secondary: Sequence[Watched],
        namespaces: Collection[str],
        deliver: Deliver,
        *,
        served: Callable[[Sequence[Resource]], Coroutine[Any, Any, bool]],
        broke_off: Callable[[], None] = lambda: None,
    ) -> None:
        """All three functions are called in the event loop that `start` was called in. `served` says whether the API
        server has all these kinds: what kopf does not find when it starts, it never watches."""
        self._name = name
        self._primary = primary
        self._secondary = secondary
        self._namespaces = namespaces
        self._deliver = deliver
        self._served = served
        self._broke_off = broke_off
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._logged_in_at = 0.0
        self._sessions: list[aiohttp.ClientSession] = []
        self._opened: dict[str, float] = {}
        self._stop_kopf: Callable[[], None] | None = None

    def start(self) -> None:
        """Begins to watch."""
        loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, args=(loop,), name=f"kopf-{self._name}", daemon=True)
        self._thread.start()

    async def stop(self, seconds: float = 5.0) -> None:
        """Waits for it so long; then the thread is left to the end of the process."""
        self._stop.set()
        stop_kopf = self._stop_kopf
        if stop_kopf is not None:
            stop_kopf()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, seconds)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        failures = 0
        while not self._stop.is_set():
            started = time.monotonic()
            reason = "it ended"
            try:
                if self._all_served(loop):
                    _run(self._operate(loop))
                else:
                    reason = "the API server does not have all kinds yet"
            except Exception as error:  # noqa: BLE001 - whatever it was, there is no operator without watches
                reason = _reason(error)
            if self._stop.is_set():
                return
            failures = 1 if time.monotonic() - started > _STEADY else failures + 1
            pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** (failures - 1))
            _log.warning("watch_broke_off", watch=self._name, reason=reason, again_in=pause)
            _call(loop, self._broke_off)
            self._stop.wait(pause)

    def _all_served(self, loop: asyncio.AbstractEventLoop) -> bool:
        """While an API server starts it knows its own kinds before the custom ones."""
        resources = [*self._primary, *(watched.resource for watched in self._secondary)]
        return asyncio.run_coroutine_threadsafe(self._served(resources), loop).result(_ASK_SECONDS)

    async def _operate(self, loop: asyncio.AbstractEventLoop) -> None:
        self._opened.clear()
        # Of kopf's loop: with a flag of threads its loop would wait for a thread that waits for the flag.
        stopping = asyncio.Event()
        self._stop_kopf = functools.partial(_call, asyncio.get_running_loop(), stopping.set)
        if self._stop.is_set():
            stopping.set()
        # Tasks of kopf that nobody asks how they ended: `watch_broke_off` tells of the first.
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        # Before kopf begins: it ends all tasks that are younger than itself.
        checking = asyncio.create_task(self._check_opened())
        operating = asyncio.create_task(
            kopf.operator(
                registry=self._registry(loop),
                settings=self._settings(),
                standalone=True,  # peering is not what elects our leader
                clusterwide=not self._namespaces,
                namespaces=tuple(self._namespaces),
                stop_flag=stopping,
            )
        )
        try:
            await asyncio.wait({checking, operating}, return_when=asyncio.FIRST_COMPLETED)
            if operating.done():
                await operating
            else:
                await checking
        finally:
            self._stop_kopf = None
            checking.cancel()
            operating.cancel()
            await asyncio.wait({checking, operating}, timeout=_END_SECONDS)
            sessions, self._sessions = self._sessions, []
            for session in sessions:
                await session.close()
            await asyncio.sleep(_LINGER)

    async def _check_opened(self) -> None:
        """Raises NotWatching; else never ends."""
        resources = [*self._primary, *(watched.resource for watched in self._secondary)]
        wanted = {resource.path(place) for resource in resources for place in self._namespaces or (None,)}
        started = alive = time.monotonic()
        while True:
            await asyncio.sleep(_TICK)
            now = time.monotonic()
            oldest = now - _RENEW_SECONDS
            missing = sorted(path for path in wanted if self._opened.get(path, started) < oldest)
            if now - started > _OPEN_SECONDS:
                missing = missing or sorted(wanted - set(self._opened))
            if missing:
                raise NotWatching(f"kopf does not watch {', '.join(missing)}")
            if not self._sessions or any(not session.closed for session in self._sessions):
                alive = now
            elif now - alive > _OPEN_SECONDS:
                raise NotWatching("kopf has closed its connections and does not end")

    async def _note_opened(self, _session: object, _context: object, answered: aiohttp.TraceRequestEndParams) -> None:
        """Which streams kopf has opened: it does not tell."""
        if answered.url.query.get("watch") == "true" and answered.response.status == 200:
            self._opened[answered.url.path] = time.monotonic()

    def _registry(self, loop: asyncio.AbstractEventLoop) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        kopf.on.login(registry=registry, errors=kopf.ErrorsMode.TEMPORARY, backoff=5.0)(self._login)
        for resource in self._primary:
            self._register(registry, resource, loop, whole=True)
        for watched in self._secondary:
            self._register(registry, watched.resource, loop, whole=False)
        return registry

    def _register(
        self, registry: kopf.OperatorRegistry, resource: Resource, loop: asyncio.AbstractEventLoop, *, whole: bool
    ) -> None:
        async def seen(event: kopf.RawEvent, **_: Any) -> None:
            document: dict[str, Any] = dict(event["object"])
            if not whole:  # the rest of a Secret is not ours to keep
                document = {"kind": resource.kind, "metadata": document["metadata"]}
            _call(loop, self._deliver, resource.kind, event["type"], document)

        kopf.on.event(
            resource.group, resource.version, resource.plural, id=f"{resource.plural}-seen", registry=registry
        )(seen)

    async def _login(self, **_: Any) -> kopf.AiohttpSession:
        """Not faster than once in two seconds: kopf would ask without end when the API server refuses the token. The
        session is ours, because kopf does not close its own when it is stopped while it starts."""
        await asyncio.sleep(max(0.0, self._logged_in_at + 2.0 - time.monotonic()))
        self._logged_in_at = time.monotonic()
        try:
            info = await asyncio.to_thread(Cluster.for_kopf)
            context = await asyncio.to_thread(info.as_ssl_context)
        except NoCluster as error:
            raise kopf.TemporaryError(str(error), delay=5) from None
        trace = aiohttp.TraceConfig()
        trace.on_request_end.append(self._note_opened)
        connector = aiohttp.TCPConnector(limit=0, ssl=context)
        session = aiohttp.ClientSession(connector=connector, headers=info.as_http_headers(), trace_configs=[trace])
        self._sessions = [*(one for one in self._sessions if not one.closed), session]
        return kopf.AiohttpSession(server=info.server, aiohttp_session=session, expiration=info.expiration)

    def _settings(self) -> kopf.OperatorSettings:
        settings = kopf.OperatorSettings()
        settings.posting.enabled = False
        # No watching of CRDs and Namespaces by kopf itself: that would need rights that nothing else needs.
        settings.scanning.disabled = True
        # A finalizer that is found is removed by kopf; one of this name is on no object.
        settings.persistence.finalizer = "mailraven.io/kopf-sets-no-finalizer"
        settings.process.ultimate_exiting_timeout = None
        settings.networking.request_timeout = 30.0
        settings.networking.connect_timeout = 10.0
        settings.networking.error_backoffs = (1, 2, 3, 5, 8)
        # A stream that is dead is noticed: the API server sends bookmarks once a minute, and ends it after 4 to 5.
        settings.watching.server_timeout = _STREAM_SECONDS
        settings.watching.client_timeout = 300.0
        settings.watching.inactivity_timeout = 90.0
        settings.watching.connect_timeout = 10.0
        settings.watching.reconnect_backoff = 1.0
        settings.watching.chunk_size = 500
        settings.queueing.idle_timeout = 0.5  # one task for each object that changed so recently
        for watched in self._secondary:
            which = (watched.resource.group, watched.resource.version, watched.resource.plural)
            if watched.labels:
                settings.watching.label_selectors[which] = watched.labels
            if watched.fields:
                settings.watching.field_selectors[which] = watched.fields
        return settings


def _run(operation: Coroutine[Any, Any, None]) -> None:
    """As asyncio.run, but for tasks that do not end: these are left, where asyncio.run would wait for them."""
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(operation)
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left, timeout=_END_SECONDS))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def _reason(error: Exception) -> str:
    """In one line: kopf's errors have the whole answer of the API server in them."""
    text = str(error.args[0]) if error.args else ""
    return f"{type(error).__name__}: {text[:300]}".rstrip(": ")


def _call(loop: asyncio.AbstractEventLoop, function: Callable[..., None], *arguments: Any) -> None:
    try:
        loop.call_soon_threadsafe(function, *arguments)
    except RuntimeError:  # the loop is closed: the process ends
        return
