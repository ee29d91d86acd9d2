"""How a backup or a restore that others start (a Job of Kubernetes, a timer) tells what came of it.

By its exit code, and by one JSON document in a file: small, since Kubernetes reads at most 4 KiB of it, and without a
secret, since it ends up where many may look.
"""

import asyncio
import json
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

from mailraven.cli.options import option
from mailraven.cli.problems import CommandError, UsageProblem, complain, reported

TEMPORARY = 75  # EX_TEMPFAIL of sysexits.h
ENDED = 128 + signal.SIGTERM
_TEXT = 1000
T = TypeVar("T")

ResultFile = Annotated[
    Path | None,
    option("--result-file", metavar="FILE", help="Write what came of it there, as JSON; also when it fails."),
]


class TemporaryProblem(CommandError):
    """The same command may succeed later."""

    code = TEMPORARY


class Ended(CommandError):
    """Somebody sent a SIGTERM."""

    code = ENDED


class Conclusion:
    """What came of it."""

    def __init__(self) -> None:
        self.document: dict[str, Any] = {}


@contextmanager
def concluded(file: Path | None) -> Iterator[Conclusion]:
    """As `reported`, with the document that the body leaves in the conclusion, or the failure, in the file."""
    conclusion = Conclusion()
    with reported():
        try:
            yield conclusion
        except Exception as error:
            _write(file, failure(error))
            if is_temporary(error):
                raise TemporaryProblem(str(error)) from None
            raise
        _write(file, {"ok": True} | conclusion.document)


def failure(error: Exception) -> dict[str, Any]:
    """`reason` is a name for programs, `error` a text for people."""
    from mailraven.app.expected import EXPECTED  # heavy, as the next one

    if isinstance(error, UsageProblem):
        return _failure("Usage", str(error))
    if isinstance(error, (CommandError, *EXPECTED)):
        return _failure(type(error).__name__, str(error))
    return _failure("Defect", "an unexpected error: the log has it")


def is_temporary(error: Exception) -> bool:
    """Whether time may mend it: something is out of reach, or another run is at work."""
    from mailraven.backup.errors import Busy, SourceChanged, TargetUnavailable
    from mailraven.blobs import BlobRefused, BlobUnavailable, BlobUnusable
    from mailraven.db import DatabaseUnavailable

    passing = (BlobUnavailable, Busy, DatabaseUnavailable, SourceChanged, TargetUnavailable)
    lasting = (BlobRefused, BlobUnusable)
    return isinstance(error, passing) and not isinstance(error, lasting) and not isinstance(error.__context__, lasting)


async def stoppable(work: Coroutine[Any, Any, T]) -> T:
    """Lets go of locks and temporary things at a SIGTERM, which the first process of a container has to ask for.
    Raises Ended.
    """
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - we are in one
    asked = False

    def stop() -> None:
        nonlocal asked
        asked = True
        task.cancel()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop)
    try:
        return await work
    except asyncio.CancelledError:
        if not asked:
            raise
        raise Ended("ended by a SIGTERM before it was done") from None
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


def _failure(reason: str, text: str) -> dict[str, Any]:
    shown = text if len(text) <= _TEXT else text[: _TEXT - 1] + "…"
    return {"ok": False, "reason": reason, "error": shown}


def _write(file: Path | None, document: dict[str, Any]) -> None:
    if file is None:
        return
    # In place: a container's termination log is a mounted file, and nothing can be put over that.
    try:
        file.write_text(json.dumps(document, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        complain(f"{file}: {error.strerror}")
