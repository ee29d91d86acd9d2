"""Logs: one line for each event, JSON or console, that input cannot forge.

Imported by the composition root; everybody else asks structlog for a logger.
"""

import json
import logging
import sys
from collections.abc import Callable
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_FIRST = ("timestamp", "level", "component", "message")
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
# Control characters could end a line or drive a terminal: C0, DEL, C1, the line and paragraph separators.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))} | {
    0x2028: "\\u2028",
    0x2029: "\\u2029",
}


def configure(level: str = "info", fmt: str = "json", output: str = "stdout") -> None:
    """Sets up structlog, and the standard library's logging to go the same way. Once a process."""
    out = sys.stderr if output == "stderr" else sys.stdout
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
    ]
    last: list[Processor]
    if fmt == "console":
        plain = structlog.dev.plain_traceback  # rich ones show local variables: secrets
        console = structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=plain)
        last = [structlog.processors.ExceptionRenderer(), _escape_controls, console]
    else:
        last = [
            structlog.processors.ExceptionRenderer(),
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(serializer=_to_json),
        ]
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=_LineWriterFactory(out),
        cache_logger_on_first_use=True,
    )
    _capture_standard_logging(_LEVELS[level])


def _to_json(event: EventDict, **_: object) -> str:
    first = {key: event.pop(key) for key in _FIRST if key in event}
    # ASCII only: json escapes every control character and separator.
    return json.dumps({**first, **event}, default=_plain)


def _plain(value: object) -> str:
    return value.decode("ascii", "backslashreplace") if isinstance(value, bytes) else str(value)


def _escape_controls(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    trace = event.pop("exception", None)
    clean = {key: _escaped(value) for key, value in event.items()}
    if trace is not None:  # our own text: its line ends stay, messages of exceptions in it lose the rest
        clean["exception"] = "\n".join(_escaped(line) for line in str(trace).split("\n"))
    return clean


def _escaped(value: Any) -> Any:
    if isinstance(value, bytes):
        value = value.decode("ascii", "backslashreplace")
    return value.translate(_CONTROLS) if isinstance(value, str) else value


class _LineWriter:
    """Writes a line with one system call, so that lines of several processes do not mix.

    A log that cannot be written (closed terminal, full disk) never breaks the daemon.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, message: str) -> None:
        try:
            self._stream.write(message + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            return

    log = debug = info = warn = warning = error = err = critical = fatal = failure = exception = msg


class _LineWriterFactory:
    def __init__(self, stream: TextIO) -> None:
        self._writer = _LineWriter(stream)

    def __call__(self, *_: object) -> _LineWriter:
        return self._writer


class _ToStructlog(logging.Handler):
    """Records of libraries that use the standard library's logging."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            write: Callable[..., Any] = structlog.get_logger(component=record.name).log
            write(record.levelno, record.getMessage(), exc_info=record.exc_info)
        except Exception:  # noqa: BLE001 - logging's own rule: a bad record breaks nobody
            self.handleError(record)


def _capture_standard_logging(level: int) -> None:
    root = logging.getLogger()
    root.handlers[:] = [_ToStructlog()]
    # Libraries are chatty at INFO, and aiosmtpd logs what clients say at DEBUG.
    root.setLevel(max(level, logging.WARNING))
    logging.raiseExceptions = False
