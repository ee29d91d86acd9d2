"""`mailraven health`."""

import http.client
import os
from typing import Annotated

import typer

from mailraven.cli.groups import Commands
from mailraven.cli.options import Assignments, ConfigFiles, option
from mailraven.cli.problems import CommandError, reported

_SECONDS = 5.0
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
Live = Annotated[bool, option("--live", metavar="", help="Only whether it answers at all, not whether it is ready.")]

app = Commands(single=True)


@app.command("health")
def health(live: Live = False, config: ConfigFiles = None, assignments: Assignments = None) -> None:
    """Ask the `mailraven serve` of the same settings whether it is ready, as a container's health check does.

    Prints what it says. Exit code 1 if it is not ready, or does not answer in 5 seconds.

    Example:  mailraven health
    """
    from mailraven.config import load

    with reported():
        listener = load(config or (), os.environ, assignments or ()).listeners.ops
        host = _WILDCARDS.get(listener.host, listener.host)
        status, text = _ask(host, listener.port, "/livez" if live else "/readyz")
        if status != http.client.OK:
            raise CommandError(text)
    typer.echo(text)


def _ask(host: str, port: int, path: str) -> tuple[int, str]:
    """Status and first line of the answer; CommandError if there is none."""
    connection = http.client.HTTPConnection(host, port, timeout=_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(1000).decode("utf-8", "replace").strip()
    except (OSError, http.client.HTTPException) as error:
        raise CommandError(f"{host} port {port} does not answer: {error}") from None
    finally:
        connection.close()
