"""Logs in the form of the server's: one line for each event, JSON or console, that input cannot forge."""

import json
import logging
import sys
from collections.abc import Callable
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_FIRST = ("timestamp", "level", "component", "message")
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
# Control characters could end a line or drive a terminal: C0, DEL, C1, the line and paragraph separators.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))} | {
    0x2028: "\\u2028",
    0x2029: "\\u2029",
}


def configure(level: str = "info", fmt: str = "json") -> None:
    """Sets up structlog, and the standard library's logging to go the same way. Once a process."""
    shared: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
    ]
    last: list[Processor]
    if fmt == "console":
        plain = structlog.dev.plain_traceback  # rich ones show local variables: secrets
        console = structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty(), exception_formatter=plain)
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
        logger_factory=structlog.WriteLoggerFactory(file=sys.stdout),
        cache_logger_on_first_use=True,
    )
    _capture_standard_logging(_LEVELS[level])


def _to_json(event: EventDict, **_: object) -> str:
    first = {key: event.pop(key) for key in _FIRST if key in event}
    # ASCII only: json escapes every control character and separator.
    return json.dumps({**first, **event}, default=str)


def _escape_controls(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    trace = event.pop("exception", None)
    clean = {key: value.translate(_CONTROLS) if isinstance(value, str) else value for key, value in event.items()}
    if trace is not None:  # our own text: its line ends stay, messages of exceptions in it lose the rest
        clean["exception"] = "\n".join(line.translate(_CONTROLS) for line in str(trace).split("\n"))
    return clean


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
    root.setLevel(max(level, logging.WARNING))
    # kopf writes a stack for every request that failed; what matters of it is told by `watch`.
    logging.getLogger("kopf").setLevel(logging.CRITICAL)
    logging.raiseExceptions = False
