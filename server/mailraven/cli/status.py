"""`mailraven status`: how it is and how much it does."""

import sys
from typing import Any

import typer

from mailraven.cli.groups import Commands
from mailraven.cli.output import size
from mailraven.cli.plain import clean
from mailraven.cli.problems import FAILED
from mailraven.cli.session import Session, online

app = Commands(single=True)
_COLOURS = {"healthy": "green", "degraded": "yellow", "unhealthy": "red"}


@online(app, "status")
def status(session: Session) -> None:
    """Show health and figures: domains, accounts, mail of the last hour and day, queue, bans.

    Exit code 1 if a part is not healthy.

    Example:  mailraven status
    """
    from mailraven.cli.api_client import path

    health = session.api.health()
    found = {
        "version": session.api.get(path("version"))["version"],
        "health": health,
        "stats": session.api.get(path("stats")),
    }
    if session.output.is_table and sys.stdout.isatty():
        _show(session.api.server.url, found)
    else:
        session.output.one(found)
    if health["status"] != "healthy":
        raise typer.Exit(FAILED)


def _show(url: str, found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    health, stats = found["health"], found["stats"]
    colour = _COLOURS.get(health["status"], "red")
    console.print()
    console.print(
        Text.assemble(
            ("  ● ", f"bold {colour}"),
            ("MailRaven " + found["version"], "bold"),
            f" is {health['status']}  ",
            (url, "dim"),
        )
    )
    parts = Text("    ")
    for name, component in health["components"].items():
        parts.append(f"{clean(name)} ", style=_COLOURS.get(component["status"], "red"))
    console.print(parts)
    console.print()
    console.print(
        f"    [bold]{stats['domains']}[/] domains   [bold]{stats['accounts']}[/] accounts   "
        f"[bold]{stats['messages']}[/] messages   [bold]{size(stats['bytes'])}[/]"
    )
    console.print()
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim")
    table.add_column("    mail", style="cyan")
    for title in ("last hour", "last day"):
        table.add_column(title, justify="right")
    for name in stats["last_hour"]:
        row = (stats["last_hour"][name], stats["last_day"][name])
        table.add_row("    " + name.replace("_", " "), *(str(value) for value in row))
    console.print(table)
    console.print()
    queue = "   ".join(f"[bold]{value}[/] {name}" for name, value in stats["queue"].items() if isinstance(value, int))
    late = round(stats["queue"]["oldest_due_seconds"])
    console.print(f"    queue  {queue}" + (f"   [yellow]the oldest is {late} s late[/]" if late else ""))
    if stats["active_bans"] is not None:
        console.print(f"    bans   [bold]{stats['active_bans']}[/]")
    console.print()
