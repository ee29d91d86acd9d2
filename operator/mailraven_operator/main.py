"""The program `mailraven-operator`."""

import argparse
import asyncio
import sys
from importlib.metadata import version

from pydantic import ValidationError

from mailraven_operator.settings import Settings

_FAILED, _USAGE = 1, 2


def main() -> None:
    """Reads the arguments and runs."""
    parser = argparse.ArgumentParser(
        prog="mailraven-operator",
        description="The Kubernetes operator of MailRaven. Its settings are MAILRAVEN_OPERATOR_* variables.",
    )
    parser.add_argument("--version", action="version", version=version("mailraven-operator"))
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("run", help="become the leader, and keep the server as the resources say")
    commands.add_parser("check", help="read the settings, and say what is wrong with them")
    command = parser.parse_args().command
    settings = _settings()
    if command == "run":
        sys.exit(_run(settings))


def _settings() -> Settings:
    """Wrong ones end the program with a line for each."""
    try:
        return Settings()
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_input=False, include_context=False):
            name = "_".join(str(part) for part in detail["loc"]).upper().removeprefix("MAILRAVEN_OPERATOR_")
            text = detail["msg"].removeprefix("Value error, ")
            print(f"mailraven-operator: MAILRAVEN_OPERATOR_{name}: {text}", file=sys.stderr)
        sys.exit(_USAGE)


def _run(settings: Settings) -> int:
    """The exit code. What is heavy to import is imported here: a wrong setting is told at once."""
    from mailraven_operator import logs
    from mailraven_operator.cluster import NoCluster
    from mailraven_operator.kinds import KINDS
    from mailraven_operator.operator import Operator

    logs.configure(settings.log_level, settings.log_format)

    async def operate() -> None:
        await Operator(settings, KINDS).run()

    try:
        asyncio.run(operate())
    except NoCluster as error:
        print(f"mailraven-operator: {error}", file=sys.stderr)
    except OSError as error:
        print(f"mailraven-operator: port {settings.port}: {error.strerror}", file=sys.stderr)
    else:
        return 0
    return _FAILED
