"""What `mailraven up` prints when it is ready: where things are and how to use them."""

import shlex
import sys
from pathlib import Path

from mailraven import __version__
from mailraven.app.instance import Running
from mailraven.app.ready_file import url
from mailraven.app.sockets import Endpoint

_NAMES = (
    ("mx", "SMTP", "STARTTLS", "mail from other servers"),
    ("submission", "Submission", "STARTTLS", "outgoing mail of your users"),
    ("submissions", "Submission", "TLS", "the same, encrypted from the start"),
    ("imap", "IMAP", "STARTTLS", "the mailboxes"),
    ("imaps", "IMAP", "TLS", "the same, encrypted from the start"),
)
Rows = list[tuple[str, ...]]


def show(running: Running) -> None:
    """On a terminal with colours and columns, else as plain lines."""
    if sys.stdout.isatty():
        _show_rich(running)
    else:
        _show_plain(running)
    sys.stdout.flush()


def _show_plain(running: Running) -> None:
    lines = [f"MailRaven {__version__} is ready ({running.workers} workers, data in {running.data})"]
    lines += [" ".join(row) for row in [*_listeners(running), *_users(running)]]
    lines += [f"{name}: {text}" for name, text in _hints(running)]
    sys.stdout.write("\n".join(lines) + "\n")


def _show_rich(running: Running) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    console.print()
    console.print(
        f"  [bold green]●[/] [bold]MailRaven {__version__}[/] is ready"
        f"  [dim]{running.workers} workers, data in {escape(_short(running.data))}[/]"
    )
    console.print()
    console.print(_table(Table, _listeners(running), ("bold", "cyan", "", "dim")))
    users = _users(running)
    if users:
        console.print()
        console.print(_table(Table, users, ("bold", "cyan", "yellow", "dim")))
    console.print()
    for name, text in _hints(running):
        console.print(f"  [bold]{name:<12}[/]{escape(text)}", soft_wrap=True)
    console.print()
    console.print("  [dim]Ctrl-C stops it; mail in progress is finished first.[/]")
    console.print()


def _table(table_class: type, rows: Rows, styles: tuple[str, ...]) -> object:
    table = table_class(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("", width=1)
    for style in styles:
        table.add_column(style=style, no_wrap=True)
    for row in rows:
        table.add_row("", *row)
    return table


def _listeners(running: Running) -> Rows:
    rows: Rows = [(title, _address(running.endpoints[name]), tls, purpose) for name, title, tls, purpose in _NAMES]
    rows.append(("HTTP API", url(running.endpoints["http"]), "", "token in " + _short(_token(running))))
    rows.append(("Health", url(running.endpoints["ops"]) + "/health", "", "/livez /readyz /metrics"))
    return rows


def _users(running: Running) -> Rows:
    return [
        ("User", user.address, user.password, "this password is shown only now")
        for user in running.prepared.users
        if user.password is not None
    ]


def _hints(running: Running) -> list[tuple[str, str]]:
    imap, submission = running.endpoints["imap"], running.endpoints["submission"]
    hints = [
        (
            "Mail client",
            f"IMAP {imap.host} port {imap.port} and SMTP {submission.host} port {submission.port}, both with "
            "STARTTLS; the user name is the whole address",
        )
    ]
    if running.ca_file is not None:
        hints.append(("Trust", f"the certificate is signed by {_short(running.ca_file)}"))
        login = next((user for user in running.prepared.users), None)
        if login is not None:
            hints.append(("Try", _curl(running, running.ca_file, login.address, login.password)))
    return hints


def _curl(running: Running, ca_file: Path, address: str, password: str | None) -> str:
    login = shlex.quote(address if password is None else f"{address}:{password}")
    return (
        f"curl --cacert {shlex.quote(_short(ca_file))} --user {login} imaps://{_address(running.endpoints['imaps'])}/"
    )


def _address(endpoint: Endpoint) -> str:
    return f"[{endpoint.host}]:{endpoint.port}" if ":" in endpoint.host else f"{endpoint.host}:{endpoint.port}"


def _token(running: Running) -> Path:
    return running.data / "secrets" / "admin-token"


def _short(path: Path) -> str:
    here = Path.cwd()
    return f"./{path.relative_to(here)}" if path.is_relative_to(here) and path != here else str(path)
