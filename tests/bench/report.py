"""Medians of the rounds, as a table and as JSON."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from measures import ROWS, Figures, Row

OURS, THEIRS = "ours", "postfix_dovecot"
Results = Mapping[str, Mapping[str, Sequence[Figures]]]  # group, side, rounds


def _values(results: Results, row: Row, side: str) -> list[float]:
    return [figures[row.figure] for figures in results.get(row.group, {}).get(side, ()) if row.figure in figures]


def describe(results: Results) -> list[dict[str, Any]]:
    """One entry for each row that was measured."""
    found: list[dict[str, Any]] = []
    for row in ROWS:
        ours, theirs = _values(results, row, OURS), _values(results, row, THEIRS)
        if not ours:
            continue
        entry: dict[str, Any] = {"name": f"{row.group}.{row.figure}", "title": row.title, "unit": row.unit}
        entry["ours"] = {"median": statistics.median(ours), "values": ours}
        if theirs:
            entry["postfix_dovecot"] = {"median": statistics.median(theirs), "values": theirs}
            if statistics.median(theirs):
                entry["ratio"] = statistics.median(ours) / statistics.median(theirs)
        if str(row.target):
            entry["target"] = str(row.target)
            compared = entry.get("ratio") if row.target.ratio else entry["ours"]["median"]
            entry["met"] = None if compared is None else row.target.met(compared)
        found.append(entry)
    return found


def disagreements(results: Results) -> list[str]:
    """Where both sides found different numbers of messages: then the times say nothing."""
    found = []
    for group, sides in results.items():
        for ours, theirs in zip(sides.get(OURS, ()), sides.get(THEIRS, ()), strict=False):
            for name in ours.keys() & theirs.keys():
                if name.startswith("found_") and ours[name] != theirs[name]:
                    found.append(f"{group}.{name}: ours {ours[name]:g}, Postfix+Dovecot {theirs[name]:g}")
    return sorted(set(found))


def render(entries: Sequence[Mapping[str, Any]]) -> str:
    """Columns for a terminal."""
    lines = [("", "ours", "Postfix+Dovecot", "ratio", "target", "")]
    for entry in entries:
        unit = entry["unit"]
        ratio = entry.get("ratio")
        theirs = entry.get("postfix_dovecot")
        lines.append(
            (
                entry["title"],
                f"{_number(entry['ours']['median'])} {unit}",
                "" if theirs is None else f"{_number(theirs['median'])} {unit}",
                "" if ratio is None else f"{_number(ratio)}x",
                entry.get("target", ""),
                {True: "met", False: "MISSED"}.get(entry.get("met"), ""),  # type: ignore[arg-type]
            )
        )
    widths = [max(len(line[column]) for line in lines) for column in range(6)]
    return "\n".join(
        f"{line[0]:<{widths[0]}}  " + "  ".join(f"{line[n]:>{widths[n]}}" for n in range(1, 6)) for line in lines
    )


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
