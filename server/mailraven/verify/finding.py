"""What a check says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    """It works, but somebody should look at it."""
    PROBLEM = "problem"
    UNKNOWN = "unknown"
    """It could not be found out from here."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Of one check."""

    check: str
    severity: Severity
    text: str = ""
    count: int = 0
    examples: tuple[str, ...] = ()
    repaired: int = 0


def worst(findings: list[Finding]) -> Severity:
    """What the exit code tells: what was repaired no longer counts."""
    open_ones = [one.severity for one in findings if not (one.count and one.repaired >= one.count)]
    for severity in (Severity.PROBLEM, Severity.WARNING):
        if severity in open_ones:
            return severity
    return Severity.OK
