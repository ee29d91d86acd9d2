"""Help, wrong usage, wrong settings: nothing is started."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from mailraven import __version__
from mailraven.cli import help_pages
from mailraven.cli.main import app
from mailraven.config.documentation import render
from mailraven.testing.command_line import run


def invoke(*arguments: str, **environment: str) -> Result:
    return CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1", **environment}).invoke(app, arguments)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["serve"], "database.url: needed"),  # all roles
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


DOCS = Path(__file__).parents[2] / "docs"


def test_version_and_documentation() -> None:
    assert invoke("version").stdout == invoke("--version").stdout == f"mailraven {__version__}\n"
    assert invoke("docs", "configuration").stdout == render()
    assert invoke("docs", "cli").stdout == (DOCS / "cli.md").read_text(), "run `mailraven docs cli > docs/cli.md`"


def commands(group: Any, *above: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        if hasattr(command, "list_commands"):
            yield from commands(command, *above, name)
        else:
            yield (*above, name), command


ROOT: Any = typer.main.get_command(app)
COMMANDS = dict(commands(ROOT))
GROUPS = sorted({words[:depth] for words in COMMANDS for depth in range(len(words))})


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_helps_with_an_example(words: tuple[str, ...]) -> None:
    text = invoke(*words, "--help").stdout
    command = " ".join(words)
    assert re.search(rf"(?m)^Example:\n  (\S+=\S+ )?mailraven {command}", text)
    assert "Traceback" not in text
    assert "│" not in text  # plain: this is no terminal
    assert invoke(*words, "-h").stdout == text


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_example_is_a_call_that_is_understood(words: tuple[str, ...]) -> None:
    """Its words are parsed, not run."""
    [example] = help_pages.text_of(COMMANDS[words])[1]
    called = shlex.split(example.partition(" > ")[0])
    arguments = called[called.index("mailraven") + 1 + len(words) :]
    context = typer.Context(COMMANDS[words], resilient_parsing=False)
    COMMANDS[words].parse_args(context, arguments)


@pytest.mark.parametrize("group", GROUPS, ids=" ".join)
def test_a_command_without_its_verb_shows_help(group: tuple[str, ...]) -> None:
    result = invoke(*group)
    assert result.exit_code == 2
    assert "Usage:" in result.output
    for words in COMMANDS:
        if words[: len(group)] == group:
            assert f"  {words[len(group)]} " in result.output


def test_help_on_a_terminal_has_panels(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "90")
    monkeypatch.setenv("TERM", "dumb")  # no colours between the words
    help_pages.show(ROOT, typer.Context(ROOT, info_name="mailraven"))
    text = capsys.readouterr().out
    for panel in ("Server", "Mail", "Security", "Operations", "Options"):
        assert f"─ {panel} ─" in text
    assert max(len(line) for line in text.splitlines()) <= 90


def test_a_typing_error_is_met_with_the_right_word() -> None:
    assert "Did you mean 'domain'" in invoke("domian", "list").stderr
    assert "--generate" in invoke("user", "add", "a@b.example", "--generat").stderr


@pytest.mark.parametrize("arguments", [["--help"], ["version"], ["queue", "--help"]])
def test_the_start_imports_nothing_heavy(arguments: list[str]) -> None:
    """pydantic, asyncpg, FastAPI and cryptography take longer to import than all the rest."""
    code = "import sys\nsys.argv[0] = 'mailraven'\nfrom mailraven.cli import main\ntry:\n    main()\nfinally:\n"
    code += "    print(*sorted(m for m in sys.modules if '.' not in m), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    heavy = {"pydantic", "asyncpg", "fastapi", "cryptography", "httpx", "aiosmtpd", "structlog", "yaml", "pygments"}
    assert heavy & set(done.stderr.split()) == set()


def test_the_shell_completes_commands_and_settings() -> None:
    def complete(line: str) -> list[str]:
        done = run(_MAILRAVEN_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(len(line.split(" ")) - 1))
        return done.stdout.split()

    assert complete("mailraven que") == ["queue"]
    assert complete("mailraven queue rel") == ["release"]
    assert complete("mailraven config set limits.max") == ["limits.max_connections_per_ip"]
    assert complete("mailraven domain show nowhere") == []
