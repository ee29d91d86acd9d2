"""Options that several commands share."""

from pathlib import Path
from typing import Annotated, Any

import typer


def option(*names: str, metavar: str, help: str, **more: Any) -> Any:
    """An option whose help text says its default itself."""
    return typer.Option(*names, metavar=metavar, help=help, show_default=False, **more)


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
