"""`mailraven config`: settings that change while the server runs, by dotted keys, and the bootstrap settings."""

import os
from typing import Annotated, Any

import typer

from mailraven.cli.groups import Commands
from mailraven.cli.options import DEFAULT_DATA, Assignments, ConfigFiles, Data, Format, Output
from mailraven.cli.output import Output as Writer
from mailraven.cli.plain import word
from mailraven.cli.problems import CommandError, UsageProblem, reported
from mailraven.cli.session import Session, online

app = Commands("Settings that change while the server runs; `show` has those it starts with.")


def keys(incomplete: str) -> list[str]:
    """For completion."""
    from mailraven_api.settings import GROUPS

    return [
        f"{group}.{name}"
        for group, model in GROUPS.items()
        for name in model.model_fields
        if f"{group}.{name}".startswith(incomplete)
    ]


Key = Annotated[str, typer.Argument(metavar="KEY", help="Such as limits.max_connections_per_ip.", autocompletion=keys)]


@online(app, "get")
def get(
    session: Session,
    key: Annotated[
        str | None,
        typer.Argument(metavar="KEY", help="A setting or a group of them. All, if left out.", autocompletion=keys),
    ] = None,
) -> None:
    """Print a setting, a group of them, or all.

    Example:  mailraven config get limits.max_connections_per_ip
    """
    found = _values(session)
    if key is None:
        session.output.one(found)
        return
    value = _at(found, key)
    if isinstance(value, dict):
        session.output.one({key: value} if session.output.is_table else value)
    elif session.output.is_table:
        session.output.line(word(value))
    else:
        session.output.done("", value)


@online(app, "set")
def set_(
    session: Session,
    key: Key,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="As JSON, or a plain word.")],
) -> None:
    """Change a setting; it holds on all servers within seconds.

    Example:  mailraven config set limits.max_connections_per_ip 20
    """
    from mailraven.cli.api_client import path
    from mailraven.cli.dotted import value as meant

    group, _, name = key.partition(".")
    if not name:
        raise UsageProblem(f"{key}: expected GROUP.NAME, such as limits.max_connections_per_ip")
    before = _at(_values(session), key)
    found = session.api.patch(path("settings", group), {name: _listed(before, meant(name, value))})
    session.output.done(f"{key} = {word(_at({group: found['value']}, key))}", found)


@app.command("show")
def show(
    data: Data = DEFAULT_DATA,
    config: ConfigFiles = None,
    assignments: Assignments = None,
    output: Output = Format.TABLE,
) -> None:
    """Print the settings that a server starts with (docs/configuration.md), without secrets.

    Example:  mailraven config show --data ./data
    """
    from mailraven.app.up import UpOptions, load_config

    with reported():
        from mailraven.app.data_directory import DataDirectory

        options = UpOptions(data=data, files=tuple(config or ()), assignments=tuple(assignments or ()))
        found = load_config(options, DataDirectory(data), os.environ)
        Writer(output).one(_without_secrets(found.model_dump(mode="json")))


def _values(session: Session) -> dict[str, Any]:
    from mailraven.cli.api_client import path

    return {group: stored["value"] for group, stored in session.api.get(path("settings")).items()}


def _at(tree: Any, key: str) -> Any:
    for name in key.split("."):
        if not isinstance(tree, dict) or name not in tree:
            raise CommandError(f"no setting {key}: `mailraven config get` lists them")
        tree = tree[name]
    return tree


def _listed(before: Any, value: Any) -> Any:
    """`a,b` where the setting is a list."""
    if isinstance(before, list) and isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_secrets(item) for name, item in value.items()}
    return value
