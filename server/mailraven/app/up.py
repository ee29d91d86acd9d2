"""`mailraven up`, first part: options, settings, the data directory, shared metrics; then instance.py.

Nothing here may import a module that declares metrics: they have to know first that several workers share them.
"""

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mailraven.app.data_directory import DataDirectory
from mailraven.app.roles import LISTENERS
from mailraven.config import Config, load
from mailraven.telemetry import logs, multiprocess

if TYPE_CHECKING:
    from mailraven.app.instance import Running

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class UpOptions:
    """What the command line says."""

    data: Path
    files: tuple[Path, ...] = ()
    host: str | None = None
    port_base: int | None = None
    workers: int | None = None
    hostname: str | None = None
    domain: str | None = None
    users: tuple[str, ...] = ()
    demo: bool = True
    ready_file: Path | None = None
    assignments: tuple[str, ...] = ()
    console: bool = False


def up(options: UpOptions, environ: Mapping[str, str], show: "Callable[[Running], None]") -> int:
    """Runs until it is told to stop; the exit code. Raises StartError or ConfigError."""
    data = DataDirectory(options.data)
    config = load_config(options, data, environ)
    logs.configure(config.log.level, config.log.format, config.log.output)
    data.create()
    data.lock()
    gc.disable()  # until the workers run: collecting what imports leave costs time and shared memory
    try:
        slot = multiprocess.prepare(data.metrics)
        from mailraven.app.instance import run

        return run(options, config, data, slot, show)
    finally:
        data.unlock()


def load_config(options: UpOptions, data: DataDirectory, environ: Mapping[str, str]) -> Config:
    """The settings of `up`: loopback, paths below the data directory, then what files and variables say."""
    defaults: dict[str, Any] = {
        **{f"listeners.{kind.name}.host": LOOPBACK for kind in LISTENERS},
        "blobs.directory": data.blobs,
        "log.output": "stderr",
        "log.format": "console" if options.console else "json",
    }
    given: dict[str, Any] = {}
    if options.host is not None:
        given |= {f"listeners.{kind.name}.host": options.host for kind in LISTENERS}
    if options.port_base is not None:
        step = 1 if options.port_base else 0  # 0: the system chooses each
        given |= {f"listeners.{kind.name}.port": options.port_base + step * n for n, kind in enumerate(LISTENERS)}
    if options.workers is not None:
        given["workers"] = options.workers
    if options.hostname is not None:
        given["hostname"] = options.hostname
    files = data.settings_files()
    return load([*files, *options.files], environ, options.assignments, defaults=defaults, options=given)
