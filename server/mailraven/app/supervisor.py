"""The parent of the workers: forks them, starts a dead one again, passes SIGTERM on, keeps Postgres alive.

It is synchronous and single-threaded on purpose: a process that forks at any time may have neither threads nor a loop.
"""

import os
import selectors
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import structlog

from mailraven.app.errors import StartError
from mailraven.app.link import READY, WorkerLink
from mailraven.app.worker import FATAL
from mailraven.db import EmbeddedPostgres, EmbeddedPostgresError
from mailraven.telemetry import multiprocess

_log = structlog.get_logger(component="supervisor")
_STABLE_SECONDS = 10.0  # a worker that lived so long is started again at once
_BACKOFF_FIRST, _BACKOFF_LAST = 0.1, 10.0
_GRACE = 5.0  # beyond drain_timeout, for what follows the drain
_OWN_STALL = 5.0  # a turn of ours takes a second
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(slots=True)
class _Slot:
    """A place for a worker; the number stays when the process changes."""

    number: int
    pid: int | None = None
    end: socket.socket | None = None
    started: float = 0.0
    heard: float = 0.0
    ready: bool = False
    was_ready: bool = False
    failures: int = 0
    due: float | None = field(default=0.0)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run."""

    workers: int
    work: Callable[[WorkerLink], int]
    ready: Callable[[], None]  # once, when every worker accepts
    drain_timeout: float
    stall_timeout: float
    metrics: Path
    slot: multiprocess.WorkerSlot
    postgres: EmbeddedPostgres | None = None


_POSTGRES_PAUSE = 1.0  # seconds between two tries to start it, doubled after each
_POSTGRES_PAUSE_MOST = 10.0


class Supervisor:
    """run() returns the exit code when all workers have ended."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._slots = [_Slot(number) for number in range(1, plan.workers + 1)]
        self._selector = selectors.DefaultSelector()
        self._signals: list[int] = []
        self._stop_at: float | None = None  # deadline of the drain
        self._told = False
        self._turned = time.monotonic()
        self._code = 0
        self._postgres_due = 0.0  # when to try again to start it
        self._postgres_pause = _POSTGRES_PAUSE

    def run(self) -> int:
        """Until a signal, or until no worker can start."""
        waking, woken = socket.socketpair()
        for end in (waking, woken):
            end.setblocking(False)
        self._selector.register(woken, selectors.EVENT_READ)
        previous = {number: signal.signal(number, self._signalled) for number in (*_SIGNALS, signal.SIGCHLD)}
        previous_fd = signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
        try:
            while self._stop_at is None or any(slot.pid for slot in self._slots):
                self._turn(woken)
        finally:
            signal.set_wakeup_fd(previous_fd)
            for number, handler in previous.items():
                signal.signal(number, handler)
            self._kill_all()
            self._selector.close()
            waking.close()
            woken.close()
        return self._code

    def _turn(self, woken: socket.socket) -> None:
        for key, _ in self._selector.select(self._pause()):
            if key.fileobj is woken:
                _drop(woken)
            else:
                self._hear(key.data)
        self._obey_signals()
        self._reap()
        now = time.monotonic()
        if now - self._turned > _OWN_STALL:
            # A paused container, a suspended machine: it was we who stood still, the workers' beats are yet to come.
            self._forgive(now)
        self._turned = now
        if self._stop_at is None:
            self._keep_postgres()
            self._kill_stalled(now)
            self._start_due(now)
            self._tell_ready()
        elif now > self._stop_at:
            _log.error("drain took too long: ending the workers")
            self._kill_all()

    def _pause(self) -> float:
        now = time.monotonic()
        due = [slot.due - now for slot in self._slots if slot.due is not None and self._stop_at is None]
        if self._stop_at is not None:
            due.append(self._stop_at - now)
        return max(0.0, min([*due, 1.0]))

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        self._signals.append(number)

    def _obey_signals(self) -> None:
        while self._signals:
            number = self._signals.pop(0)
            if number == signal.SIGCHLD:
                continue
            if self._stop_at is None:
                _log.info("stopping", signal=signal.Signals(number).name)
                self.stop()
            else:
                _log.warning("second signal: ending at once", signal=signal.Signals(number).name)
                self._kill_all()

    def stop(self, code: int = 0) -> None:
        """Drains all workers."""
        self._code = self._code or code
        self._stop_at = time.monotonic() + self._plan.drain_timeout + _GRACE
        for slot in self._slots:
            if slot.pid is not None:
                os.kill(slot.pid, signal.SIGTERM)

    def _start_due(self, now: float) -> None:
        for slot in self._slots:
            if slot.pid is None and slot.due is not None and slot.due <= now:
                self._fork(slot)

    def _fork(self, slot: _Slot) -> None:
        ours, theirs = socket.socketpair()
        sys.stdout.flush()
        sys.stderr.flush()
        # A signal between the fork and the worker's own handlers would be lost in our handler's copy.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        pid = os.fork()
        if pid == 0:
            ours.close()
            self._become_worker(slot, theirs)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        theirs.close()
        ours.setblocking(False)
        self._selector.register(ours, selectors.EVENT_READ, slot)
        slot.pid, slot.end, slot.due, slot.ready = pid, ours, None, False
        slot.started = slot.heard = time.monotonic()

    def _become_worker(self, slot: _Slot, end: socket.socket) -> None:
        code = 70  # sysexits.h EX_SOFTWARE
        try:
            signal.set_wakeup_fd(-1)
            for number in (*_SIGNALS, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            for other in self._slots:
                if other.end is not None:
                    other.end.close()  # else a worker would not see the end of a dead supervisor's line
            self._selector.close()
            self._plan.slot.number = slot.number
            code = self._plan.work(WorkerLink(end))
        except BaseException:  # noqa: BLE001 - nothing may reach the supervisor's frames
            traceback.print_exc(file=sys.stderr)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _hear(self, slot: _Slot) -> None:
        if slot.end is None:
            return
        try:
            said = slot.end.recv(4096)
        except OSError:
            said = b""
        if not said:  # the process is ending; _reap() sees how
            self._hang_up(slot)
            return
        slot.heard = time.monotonic()
        if READY in said:
            slot.ready = slot.was_ready = True

    def _hang_up(self, slot: _Slot) -> None:
        if slot.end is not None:
            self._selector.unregister(slot.end)
            slot.end.close()
            slot.end = None

    def _reap(self) -> None:
        for slot in self._slots:
            if slot.pid is None:
                continue
            pid, status = os.waitpid(slot.pid, os.WNOHANG)
            if pid:
                self._buried(slot, os.waitstatus_to_exitcode(status))

    def _buried(self, slot: _Slot, code: int) -> None:
        dead, slot.pid, slot.ready = slot.pid, None, False
        self._hang_up(slot)
        multiprocess.bury(self._plan.metrics, slot.number)
        if self._stop_at is not None:
            return
        if code == FATAL and not slot.was_ready:
            self.stop(code=1)
            return
        lived = time.monotonic() - slot.started
        slot.failures = 0 if lived > _STABLE_SECONDS else slot.failures + 1
        delay = min(_BACKOFF_FIRST * 2 ** (slot.failures - 1), _BACKOFF_LAST) if slot.failures > 1 else 0.0
        slot.due = time.monotonic() + delay
        _log.error("worker died", worker=slot.number, pid=dead, code=code, lived=round(lived, 1), delay=delay)
        _count_restart()

    def _kill_stalled(self, now: float) -> None:
        for slot in self._slots:
            if slot.pid is not None and now - slot.heard > self._plan.stall_timeout:
                _log.error("worker stalled", worker=slot.number, pid=slot.pid)
                os.kill(slot.pid, signal.SIGKILL)
                slot.heard = now

    def _kill_all(self) -> None:
        for slot in self._slots:
            if slot.pid is not None:
                os.kill(slot.pid, signal.SIGKILL)

    def _keep_postgres(self) -> None:
        postgres = self._plan.postgres
        if postgres is None:
            return
        if postgres.pid is not None:
            self._postgres_pause = _POSTGRES_PAUSE
            return
        if time.monotonic() < self._postgres_due:
            return
        _log.error("postgres died: starting it again")
        try:
            postgres.start()
        except (EmbeddedPostgresError, OSError) as error:
            # A full disk, perhaps: the workers answer 451 and NO [UNAVAILABLE] until it is back.
            _log.error("postgres does not start", reason=str(error), again_in=self._postgres_pause)
            self._postgres_due = time.monotonic() + self._postgres_pause
            self._postgres_pause = min(self._postgres_pause * 2, _POSTGRES_PAUSE_MOST)
        self._forgive(time.monotonic())  # what they said meanwhile has not been read yet

    def _forgive(self, now: float) -> None:
        for slot in self._slots:
            slot.heard = now

    def _tell_ready(self) -> None:
        if self._told or not all(slot.ready for slot in self._slots):
            return
        self._told = True
        try:
            self._plan.ready()
        except StartError as error:
            _log.error("cannot start", reason=str(error))
            self.stop(code=1)


def _count_restart() -> None:
    from mailraven.telemetry import metrics

    metrics.WORKER_RESTARTS.inc()


def _drop(woken: socket.socket) -> None:
    try:
        while woken.recv(4096):
            pass
    except BlockingIOError:
        return
