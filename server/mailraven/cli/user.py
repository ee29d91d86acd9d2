"""`mailraven user`. A password comes from the terminal, a file or a generator, never from the arguments:
those are for everybody to see.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from mailraven.cli.options import DEFAULT_DATA, Assignments, ConfigFiles, Data
from mailraven.cli.problems import FAILED

app = typer.Typer(help="Users: accounts with mailboxes and a password.", no_args_is_help=True)
Address = Annotated[str, typer.Argument(metavar="ADDRESS")]
PasswordFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Read the password from FILE (- is the standard input).", show_default=False),
]
Generate = Annotated[bool, typer.Option("--generate", help="Make a password and print it.")]


@app.command("add")
def add(
    address: Address,
    password_file: PasswordFile = None,
    generate: Generate = False,
    data: Data = DEFAULT_DATA,
    config: ConfigFiles = None,
    assignments: Assignments = None,
) -> None:
    """Add a user; the domain has to be there.

    Example:  mailraven user add ann@example.org --generate
    """
    from mailraven.cli.directory import with_directory

    password = _password(password_file, generate)
    made = with_directory(data, config, assignments, lambda directory: directory.create_account(address, password))
    typer.echo(f"added {made.address}")
    if generate:
        typer.echo(f"password {password}")


@app.command("passwd")
def passwd(
    address: Address,
    password_file: PasswordFile = None,
    generate: Generate = False,
    data: Data = DEFAULT_DATA,
    config: ConfigFiles = None,
    assignments: Assignments = None,
) -> None:
    """Set a user's password.

    Example:  mailraven user passwd ann@example.org
    """
    from mailraven.cli.directory import with_directory

    password = _password(password_file, generate)
    with_directory(data, config, assignments, lambda directory: directory.set_password(address, password))
    typer.echo(f"changed the password of {address}")
    if generate:
        typer.echo(f"password {password}")


@app.command("list")
def list_(
    domain: Annotated[str | None, typer.Argument(metavar="[DOMAIN]", show_default=False)] = None,
    data: Data = DEFAULT_DATA,
    config: ConfigFiles = None,
    assignments: Assignments = None,
) -> None:
    """List users with their space in octets, one a line, of one domain or of all.

    Example:  mailraven user list example.org
    """
    from mailraven.cli.directory import with_directory
    from mailraven.directory import Account, Directory

    async def read(directory: Directory) -> list[Account]:
        found: list[Account] = []
        names = [domain] if domain else [item.name for item in await directory.list_domains(limit=1000)]
        for name in names:
            last = ""
            while page := await directory.list_accounts(name, after=last, limit=1000):
                found += page
                last = page[-1].address
        return found

    for account in with_directory(data, config, assignments, read):
        typer.echo(f"{account.address}\t{account.used_bytes}" + ("\tsuspended" if account.suspended else ""))


def _password(file: Path | None, generate: bool) -> str:
    if generate:
        from mailraven.app.first_start import generate_password

        return generate_password()
    if file is not None:
        return _read(file)
    if not sys.stdin.isatty():
        typer.echo("mailraven: no terminal to ask for a password: use --password-file or --generate", err=True)
        raise typer.Exit(2)
    answer: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return answer


def _read(file: Path) -> str:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        typer.echo(f"mailraven: --password-file {file}: {reason}", err=True)
        raise typer.Exit(FAILED) from None
    return text.removesuffix("\n").removesuffix("\r")
