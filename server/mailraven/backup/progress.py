"""How far a long job is: numbers that a terminal, a log or an API show as they like."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Progress:
    """`total` is 0 while it is not known. Reports at most once in `interval` seconds, and at each new phase."""

    report: Callable[[Progress], None] = field(default=lambda _: None, repr=False)
    interval: float = 0.5
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    phase: str = "starting"
    done: int = 0
    total: int = 0
    unit: str = "octets"
    _began: float = 0.0
    _reported: float = 0.0

    def begin(self, phase: str, total: int = 0, unit: str = "octets") -> None:
        """A new phase."""
        self.phase, self.total, self.unit, self.done = phase, total, unit, 0
        self._began = self._reported = self.clock()
        self.report(self)

    def advance(self, amount: int) -> None:
        """Some more is done."""
        self.done += amount
        now = self.clock()
        if now - self._reported >= self.interval:
            self._reported = now
            self.report(self)

    @property
    def rate(self) -> float:
        """Units a second, of this phase."""
        seconds = self.clock() - self._began
        return self.done / seconds if seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """None: nobody knows."""
        if not self.total or not self.rate:
            return None
        return max(0.0, (self.total - self.done) / self.rate)
