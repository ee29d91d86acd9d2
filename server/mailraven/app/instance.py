"""`mailraven up`, second part: Postgres, first start, workers under a supervisor."""

import asyncio
import contextlib
import dataclasses
import datetime as dt
import gc
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from mailraven.app import ready_file
from mailraven.app.child import Child
from mailraven.app.data_directory import DataDirectory
from mailraven.app.errors import StartError
from mailraven.app.expected import EXPECTED
from mailraven.app.first_start import Prepared, User, prepare
from mailraven.app.link import WorkerLink
from mailraven.app.master_key import with_master_key
from mailraven.app.roles import ALL_ROLES, LISTENERS
from mailraven.app.servers import import_role
from mailraven.app.sockets import Endpoint, Reservation, reserve
from mailraven.app.supervisor import Plan, Supervisor
from mailraven.app.up import LOOPBACK, UpOptions
from mailraven.app.worker import run_worker
from mailraven.config import Config, ConfigError, TlsConfig
from mailraven.db import EmbeddedPostgres, EmbeddedPostgresError
from mailraven.directory import AddressError, normalize_domain, parse_address
from mailraven.telemetry.multiprocess import WorkerSlot


@dataclass(frozen=True, slots=True)
class Running:
    """What the summary shows."""

    data: Path
    endpoints: dict[str, Endpoint]
    prepared: Prepared
    ca_file: Path | None
    workers: int


def run(
    options: UpOptions, config: Config, data: DataDirectory, slot: WorkerSlot, show: Callable[[Running], None]
) -> int:
    """The exit code. Raises StartError or ConfigError."""
    _check_names(options)
    if options.ready_file is not None:
        options.ready_file.unlink(missing_ok=True)
    config = with_master_key(config, data)
    reservation = reserve(config.listeners, LISTENERS)
    postgres = _start_postgres(config, data)
    try:
        if postgres is not None:
            config = _with_database(config, postgres.dsn)
        fallback_tls, ca_file, prepared = _prepare(config, data, options)
        endpoints = {endpoint.name: endpoint for endpoint in reservation.endpoints}
        workers = config.workers or len(os.sched_getaffinity(0))
        running = Running(data.path, endpoints, prepared, ca_file, workers)
        plan = Plan(
            workers=workers,
            work=_work(config, fallback_tls, reservation),
            ready=lambda: _announce(options, data, running, show),
            drain_timeout=config.drain_timeout,
            stall_timeout=config.health.stall_timeout,
            metrics=data.metrics,
            slot=slot,
            postgres=postgres,
        )
        return Supervisor(plan).run()
    finally:
        data.api_url.unlink(missing_ok=True)
        if options.ready_file is not None:
            options.ready_file.unlink(missing_ok=True)
        reservation.close()
        if postgres is not None:
            postgres.stop()


def _check_names(options: UpOptions) -> None:
    """Before anything is made."""
    problems = []
    for option, names, check in (
        ("--user", options.users, parse_address),
        ("--domain", [options.domain] if options.domain is not None else [], normalize_domain),
    ):
        for name in names:
            try:
                check(name)
            except AddressError as error:
                problems.append(f"{option} {name!r}: {error}")
    if problems:
        raise ConfigError(problems)


def _start_postgres(config: Config, data: DataDirectory) -> EmbeddedPostgres | None:
    if config.database.url is not None:
        return None
    try:
        postgres = EmbeddedPostgres(data.postgres)
        postgres.start()
    except EmbeddedPostgresError as error:
        raise StartError(str(error)) from None
    return postgres


def _with_database(config: Config, dsn: str) -> Config:
    return config.model_copy(update={"database": config.database.model_copy(update={"url": SecretStr(dsn)})})


def _prepare(config: Config, data: DataDirectory, options: UpOptions) -> tuple[TlsConfig | None, Path | None, Prepared]:
    child = Child(lambda: _prepared_in_child(config, data, options), EXPECTED)
    for role in ALL_ROLES:  # meanwhile
        import_role(role)
    answer = child.result()
    prepared = Prepared(tuple(User(**user) for user in answer["users"]), answer["admin_token"])
    if answer["tls"] is None:
        return None, None, prepared
    files = {name: Path(path) for name, path in answer["tls"].items()}
    ca_file = files["ca_file"]
    return TlsConfig(cert_file=files["cert_file"], key_file=files["key_file"]), ca_file, prepared


def _prepared_in_child(config: Config, data: DataDirectory, options: UpOptions) -> dict[str, Any]:
    tls = None
    if config.tls.cert_file is None:
        from mailraven.tls.selfsigned import ensure_self_signed

        tls = ensure_self_signed(data.tls, _names(config), dt.datetime.now(dt.UTC))
    prepared = asyncio.run(prepare(config, data, options.domain, options.users, demo=options.demo))
    return {
        **dataclasses.asdict(prepared),
        "tls": None if tls is None else {name: str(path) for name, path in dataclasses.asdict(tls).items()},
    }


def _names(config: Config) -> Sequence[str]:
    hosts = {getattr(config.listeners, kind.name).host for kind in LISTENERS} - {"0.0.0.0", "::"}  # noqa: S104
    return [config.hostname, "localhost", LOOPBACK, "::1", *sorted(hosts)]


def _work(config: Config, fallback_tls: TlsConfig | None, reservation: Reservation) -> Callable[[WorkerLink], int]:
    gc.freeze()  # what is there now stays out of the workers' collections, and so shared

    def work(link: WorkerLink) -> int:
        reservation.close()
        return run_worker(config, ALL_ROLES, reservation.endpoints, link, fallback_tls)

    return work


def _announce(options: UpOptions, data: DataDirectory, running: Running, show: Callable[[Running], None]) -> None:
    ready_file.write_api_url(data.api_url, running.endpoints["http"])
    with contextlib.suppress(OSError):  # nobody reads the summary
        show(running)
    if options.ready_file is not None:
        content = ready_file.describe(running.endpoints, running.prepared, running.ca_file)
        ready_file.write(options.ready_file, content)
