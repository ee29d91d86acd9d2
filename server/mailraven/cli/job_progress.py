"""How far a backup or a restore is: a bar with rate and remaining time on a terminal, JSON lines elsewhere."""

import json
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any

from mailraven.cli.progress import ProgressForm

if TYPE_CHECKING:
    from mailraven.backup.progress import Progress

_EVERY = 5.0  # seconds between two JSON lines


class JobProgress:
    """`with JobProgress(form) as progress: make_backup(..., progress.job)`."""

    def __init__(self, form: ProgressForm) -> None:
        from mailraven.backup.progress import Progress

        if form is ProgressForm.AUTO:
            form = ProgressForm.BAR if sys.stderr.isatty() else ProgressForm.JSON
        self._form = form
        self._bar: Any = None
        self._task: Any = None
        self._phase = ""
        interval = 0.2 if form is ProgressForm.BAR else _EVERY
        self.job = Progress(self._report, interval=interval)

    def __enter__(self) -> "JobProgress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _report(self, job: "Progress") -> None:
        if self._form is ProgressForm.BAR:
            self._show(job)
        elif self._form is ProgressForm.JSON:
            line = {
                "progress": job.phase, "done": job.done, "total": job.total or None, "unit": job.unit,
                "rate": round(job.rate, 1),
                "seconds_left": None if job.seconds_left is None else round(job.seconds_left, 1),
            }  # fmt: skip
            sys.stderr.write(json.dumps(line) + "\n")
            sys.stderr.flush()

    def _show(self, job: "Progress") -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        if self._bar is None:
            self._bar = Progress(
                TextColumn("[bold]{task.description}"), BarColumn(), TextColumn("{task.fields[amount]}"),
                TimeElapsedColumn(), TimeRemainingColumn(), console=Console(stderr=True), transient=True,
            )  # fmt: skip
            self._bar.start()
        if job.phase != self._phase:
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._phase = job.phase
            self._task = self._bar.add_task(job.phase, total=job.total or None, amount="")
        self._bar.update(self._task, completed=job.done, amount=_amount(job))


def _amount(job: "Progress") -> str:
    from mailraven.cli.output import size

    if job.unit == "octets":
        return f"{size(job.done)}, {size(int(job.rate))}/s"
    return f"{job.done} {job.unit}, {job.rate:.0f}/s"
