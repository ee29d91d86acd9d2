"""Options that several commands share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer


def option(*names: str, metavar: str, help: str, **more: Any) -> Any:
    """An option whose help text says its default itself."""
    return typer.Option(*names, metavar=metavar, help=help, show_default=False, **more)


class Format(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


SERVER = "Server"
OFFLINE = "Without a running server"

ConfigFiles = Annotated[
    list[Path] | None, option("--config", "-c", metavar="FILE", help="A YAML file of settings; a later one wins.")
]
Assignments = Annotated[
    list[str] | None, option("--set", metavar="KEY=VALUE", help="Set one key, such as smtp.max_recipients=200.")
]
Data = Annotated[
    Path,
    option("--data", metavar="DIR", envvar="MAILRAVEN_DATA", help="The directory of `mailraven up`. [default: data]"),
]
DEFAULT_DATA = Path("data")
Workers = Annotated[
    int | None,
    option("--workers", min=1, max=256, metavar="N", help="Processes. [default: one; `up`: one for each core]"),
]

# Added to each command that talks to a server (session.online).
ServerData = Annotated[
    Path,
    option(
        "--data", metavar="DIR", envvar="MAILRAVEN_DATA", rich_help_panel=SERVER,
        help="The directory of `mailraven up` on this machine. [default: data]",
    ),
]  # fmt: skip
Url = Annotated[
    str | None,
    option(
        "--url", metavar="URL", envvar="MAILRAVEN_URL", rich_help_panel=SERVER,
        help="Another server's HTTP API, with the token in MAILRAVEN_TOKEN.",
    ),
]  # fmt: skip
TokenFile = Annotated[
    Path | None,
    option(
        "--token-file",
        metavar="FILE",
        rich_help_panel=SERVER,
        help="Read the token from FILE, as MAILRAVEN_TOKEN_FILE says it for all commands.",
    ),
]
Output = Annotated[
    Format,
    option("--output", "-o", metavar="FORMAT", help="table, json or yaml. [default: table]"),
]
OfflineConfig = Annotated[
    list[Path] | None,
    option(
        "--config", "-c", metavar="FILE", rich_help_panel=OFFLINE,
        help="A YAML file of settings: work on its database directly.",
    ),
]  # fmt: skip
OfflineAssignments = Annotated[
    list[str] | None,
    option("--set", metavar="KEY=VALUE", rich_help_panel=OFFLINE, help="Set one key, such as database.url_file=FILE."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Limit = Annotated[int, option("--limit", "-n", min=1, metavar="N", help="At most so many.")]
Days = Annotated[
    int | None, option("--days", min=1, max=3660, metavar="N", help="It ends after so many days. [default: never]")
]
