"""How far long work is: a bar on a terminal, JSON lines elsewhere, both on stderr."""

import json
import sys
import time
from enum import StrEnum
from types import TracebackType
from typing import Annotated, Any

from mailraven.cli.options import option

_EVERY = 1.0  # seconds between two JSON lines


class ProgressForm(StrEnum):
    """How it is shown."""

    AUTO = "auto"
    BAR = "bar"
    JSON = "json"
    NONE = "none"


ProgressOption = Annotated[
    ProgressForm,
    option(
        "--progress", metavar="FORM",
        help="bar, json (lines) or none. [default: a bar on a terminal, JSON lines elsewhere when it takes long]",
    ),
]  # fmt: skip


class Progress:
    """`with Progress(form, "apply", total) as progress: progress.step("MailUser/ann")`."""

    def __init__(self, form: ProgressForm, what: str, total: int | None) -> None:
        self._auto = form is ProgressForm.AUTO
        if self._auto:
            form = ProgressForm.BAR if sys.stderr.isatty() else ProgressForm.JSON
        self._form = form
        self._what = what
        self._total = total
        self._done = 0
        self._begin = self._said = time.monotonic()
        self._bar: Any = None

    def __enter__(self) -> "Progress":
        if self._form is ProgressForm.BAR and self._total != 1:
            self._bar = _bar(self._what, self._total)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif self._form is ProgressForm.JSON and (not self._auto or self._said > self._begin):
            self._write("failed" if kind is not None else "done", "")

    def step(self, item: str = "", count: int = 1) -> None:
        """That much more is done; `item` is the last."""
        self._done += count
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], advance=count)
        elif self._form is ProgressForm.JSON and time.monotonic() - self._said >= _EVERY:
            self._said = time.monotonic()
            self._write("running", item)

    def _write(self, state: str, item: str) -> None:
        line = {
            "progress": self._what, "state": state, "done": self._done, "total": self._total, "item": item,
            "seconds": round(time.monotonic() - self._begin, 3),
        }  # fmt: skip
        sys.stderr.write(json.dumps(line) + "\n")
        sys.stderr.flush()


def _bar(what: str, total: int | None) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    bar = Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    bar.add_task(what, total=total)
    bar.start()
    return bar
