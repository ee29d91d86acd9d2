"""Help, wrong usage, wrong settings: nothing is started."""

import re

import pytest
from typer.testing import CliRunner, Result

from mailraven import __version__
from mailraven.cli.main import app
from mailraven.config.documentation import render
from mailraven.testing.command_line import run


def invoke(*arguments: str, **environment: str) -> Result:
    return CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1", **environment}).invoke(app, arguments)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["serve"], "Missing argument"),
        (["serve", "barber"], "barber"),
        (["serve", "mx"], "database.url: needed"),
        (["serve", "mx", "--config", "/nonexistent.yaml"], "file /nonexistent.yaml: cannot be read"),
        (["serve", "mx", "--set", "smtp.nope=1"], "smtp.nope (--set smtp.nope): no such key"),
        (["serve", "mx", "--workers", "0"], "--workers"),
        (["up", "--port-base", "70000"], "--port-base"),
        (["up", "--set", "workers"], "expected KEY=VALUE"),
        (["up", "--hostname", "a b"], "hostname (command line): expected a host name"),
        (["nonsense"], "nonsense"),
        (["user", "add"], "Missing argument"),
        (["user", "add", "a@b.example", "--data", "x"], "no terminal to ask for a password"),
        (["user", "add", "a@b.example", "secret"], "secret"),  # a password is never an argument
    ],
)
def test_wrong_usage_and_settings_end_with_2(arguments: list[str], expected: str) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2, result.output
    assert expected in result.stderr


def test_a_variable_that_is_wrong_is_named() -> None:
    done = run("serve", "mx", code=2, MAILRAVEN_SMTP__MAX_HOPS="many")
    assert "mailraven: smtp.max_hops (variable MAILRAVEN_SMTP__MAX_HOPS): Input should be" in done.stderr
    assert "Traceback" not in done.stderr


def test_version_and_documentation() -> None:
    assert invoke("version").stdout == f"mailraven {__version__}\n"
    assert invoke("docs", "configuration").stdout == render()


@pytest.mark.parametrize(
    "command",
    [
        "up", "serve", "migrate", "version", "domain add", "domain list", "token add", "token delete",
        "user add", "user passwd", "user list", "docs configuration",
    ],
)  # fmt: skip
def test_every_command_helps_with_an_example(command: str) -> None:
    text = " ".join(invoke(*command.split(), "--help").stdout.split())
    assert re.search(rf"Example: (\S+=\S+ )?mailraven {command}", text)


@pytest.mark.parametrize("group", [[], ["domain"], ["user"], ["token"], ["docs"]])
def test_a_command_without_its_verb_shows_help(group: list[str]) -> None:
    result = invoke(*group)
    assert "Usage:" in result.output
