"""Commands of the program beside a server that runs on a data directory."""

from __future__ import annotations

import json
import smtplib
import ssl
from typing import Any

from typer.testing import CliRunner

from mailraven.cli.main import app
from mailraven.testing.command_line import Instance, run


class CommandLine:
    """`line("domain", "list")` is what `mailraven domain list` prints."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance

    def __call__(self, *arguments: str, code: int = 0, stdin: str = "", **environment: str) -> str:
        """The standard output."""
        return run(*arguments, code=code, stdin=stdin, MAILRAVEN_DATA=str(self.instance.data), **environment).stdout

    def json(self, *arguments: str, code: int = 0, stdin: str = "") -> Any:
        """The document."""
        return json.loads(self(*arguments, "-o", "json", code=code, stdin=stdin))

    def rows(self, *arguments: str) -> list[list[str]]:
        """The columns of a list."""
        return [line.split("\t") for line in self(*arguments).splitlines()]

    def refused(self, *arguments: str, code: int = 1, stdin: str = "", **environment: str) -> str:
        """What a command that ends with `code` says on the standard error. It runs in this process: that is quicker."""
        variables = {"MAILRAVEN_DATA": str(self.instance.data), "COLUMNS": "200", **environment}
        result = CliRunner(env=variables).invoke(app, arguments, input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        if result.exit_code != code:
            raise AssertionError(f"{arguments} ended with {result.exit_code}\n{result.output}")
        return result.stderr.removesuffix("\n")

    def submit(self, login: str, password: str, recipient: str, message_id: str) -> None:
        """Sends a message as an account."""
        where = self.instance.ready["submission"]
        text = f"From: {login}\r\nTo: {recipient}\r\nMessage-ID: <{message_id}>\r\n\r\nbody\r\n"
        with smtplib.SMTP(where["host"], where["port"], timeout=30) as smtp:
            smtp.starttls(context=ssl.create_default_context(cafile=self.instance.ready["ca_file"]))
            smtp.login(login, password)
            smtp.sendmail(login, [recipient], text)
