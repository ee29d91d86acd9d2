"""What a command answers: tables on a terminal, tab-separated lines in a pipe, or JSON and YAML as the API has them."""

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import typer

from mailraven.cli.options import Format
from mailraven.cli.plain import clean, flat, word

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a list: `get` is a key of the row or a function of it, `human` its form on a terminal."""

    title: str
    get: str | Callable[[Row], Any]
    human: Callable[[Any], str] = word
    wide: bool = False
    """On a terminal it is cut where the others need the room; never in a pipe."""

    def of(self, row: Row) -> Any:
        """The plain value."""
        return self.get(row) if callable(self.get) else row.get(self.get)


class Output:
    """Writes answers in the format that was asked for."""

    def __init__(self, format: Format) -> None:
        self._format = format

    @property
    def is_table(self) -> bool:
        """For people, not for programs."""
        return self._format is Format.TABLE

    def rows(self, rows: Iterable[Row], columns: Sequence[Column], *, nothing: str) -> None:
        """A list. `nothing` is said on stderr to a person when it is empty."""
        found = list(rows)
        if not self.is_table:
            self._document(found)
        elif not found:
            if sys.stdout.isatty():
                typer.echo(nothing, err=True)
        elif sys.stdout.isatty():
            _show_table(found, columns)
        else:
            lines = ("\t".join(word(column.of(row)) for column in columns) for row in found)
            typer.echo("\n".join(lines))

    def one(self, document: Row) -> None:
        """A single thing, all its fields."""
        if not self.is_table:
            self._document(document)
            return
        pairs = flat(document)
        if sys.stdout.isatty():
            _show_pairs(pairs)
        else:
            typer.echo("\n".join(f"{clean(key)}\t{word(value)}" for key, value in pairs.items()))

    def done(self, text: str, document: Any = None) -> None:
        """That something was done; programs get the document."""
        if self.is_table:
            typer.echo(clean(text))
        else:
            self._document(document)

    def line(self, text: str) -> None:
        """A line for people; it is not written to programs."""
        if self.is_table:
            typer.echo(clean(text))

    def _document(self, document: Any) -> None:
        if self._format is Format.JSON:
            typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
            return
        import yaml

        dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
        typer.echo(yaml.dump(document, Dumper=dumper, sort_keys=False, allow_unicode=True), nl=False)


_PAINTED = ("STATE", "STATUS", "OUTCOME")
_PAINT = {
    "ok": "green", "active": "green", "delivered": "green",
    "pending": "yellow", "deferred": "yellow", "held": "yellow", "ends soon": "yellow", "suspended": "yellow",
    "missing": "red", "differs": "red", "error": "red", "failed": "red", "refused": "red", "expired": "red",
}  # fmt: skip


def _show_table(rows: Sequence[Row], columns: Sequence[Column]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, header_style="bold", show_edge=False, pad_edge=False)
    some_wide = any(column.wide for column in columns)
    for number, column in enumerate(columns):
        keep = some_wide and not column.wide
        table.add_column(column.title, style="bold" if number == 0 else "", overflow="fold", no_wrap=keep)
    for row in rows:
        cells = []
        for column in columns:
            text = clean(column.human(column.of(row)))
            style = _PAINT.get(text, "") if column.title in _PAINTED else ""
            cut: Any = {"no_wrap": True, "overflow": "ellipsis"} if column.wide else {}
            cells.append(Text(text, style=style, **cut))
        table.add_row(*cells)
    Console(highlight=False).print(table)


def _show_pairs(pairs: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in pairs.items():
        table.add_row(clean(key), Text(_human(key, value)))
    Console(highlight=False).print(table)


def _human(key: str, value: Any) -> str:
    if key.endswith(("_at", ".at", "until", "not_after", "not_before")) or key == "at":
        return moment(value)
    if key.endswith("_bytes") and isinstance(value, int):
        return f"{size(value)} ({value})" if value >= 1024 else size(value)
    return rates(value)


def size(octets: Any) -> str:
    """Octets for a person."""
    if not isinstance(octets, int):
        return ""
    value, unit = float(octets), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"


def moment(text: Any) -> str:
    """A time of the API in this machine's time zone."""
    import datetime as dt

    if not isinstance(text, str):
        return ""
    try:
        return dt.datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        return text


def rates(limits: Any) -> str:
    """Limits for a person: `100 in 60 min`."""
    if not isinstance(limits, list) or not all(isinstance(item, dict) and "window_minutes" in item for item in limits):
        return word(limits)
    return ", ".join(f"{item['count']} in {_window(item['window_minutes'])}" for item in limits)


def _window(minutes: int) -> str:
    for size, unit in ((1440, "d"), (60, "h")):
        if minutes % size == 0:
            return f"{minutes // size} {unit}"
    return f"{minutes} min"
