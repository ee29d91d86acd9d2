"""`mailraven serve`: chosen roles against the settings, in one process or in workers under a supervisor."""

import contextlib
import shutil
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mailraven.app.roles import Role, listeners_of
from mailraven.app.sockets import Reservation, reserve
from mailraven.config import Config, ConfigError
from mailraven.telemetry import logs, multiprocess


def serve(config: Config, roles: Sequence[Role]) -> int:
    """Runs until it is told to stop; the exit code. Raises StartError or ConfigError."""
    if config.database.url is None:
        raise ConfigError(["database.url: needed, such as MAILRAVEN_DATABASE__URL=postgresql://user@host/name"])
    logs.configure(config.log.level, config.log.format, config.log.output)
    chosen = tuple(dict.fromkeys(roles))
    with contextlib.closing(reserve(config.listeners, listeners_of(chosen))) as reservation:
        if (config.workers or 1) == 1:
            return _serve_alone(config, chosen, reservation)
        directory = Path(tempfile.mkdtemp(prefix="mailraven-metrics-"))
        try:
            return _serve_supervised(config, chosen, reservation, directory)
        finally:
            shutil.rmtree(directory, ignore_errors=True)


def _serve_alone(config: Config, roles: tuple[Role, ...], reservation: Reservation) -> int:
    """In a pod the kubelet is the supervisor."""
    from mailraven.app.worker import run_worker

    # As process 1 the default action of a signal is to ignore it: until the loop has its handlers, end.
    signal.signal(signal.SIGTERM, lambda number, _frame: exit(128 + number))
    return 1 if run_worker(config, roles, reservation.endpoints) else 0


def _serve_supervised(config: Config, roles: tuple[Role, ...], reservation: Reservation, directory: Path) -> int:
    slot = multiprocess.prepare(directory)
    from mailraven.app.link import WorkerLink
    from mailraven.app.servers import import_role
    from mailraven.app.supervisor import Plan, Supervisor
    from mailraven.app.worker import run_worker

    for role in roles:
        import_role(role)

    def work(link: WorkerLink) -> int:
        reservation.close()
        return run_worker(config, roles, reservation.endpoints, link)

    plan = Plan(
        workers=config.workers or 1,
        work=work,
        ready=lambda: None,
        drain_timeout=config.drain_timeout,
        stall_timeout=config.health.stall_timeout,
        metrics=directory,
        slot=slot,
    )
    return Supervisor(plan).run()
