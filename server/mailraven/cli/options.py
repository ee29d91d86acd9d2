"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

ConfigFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--config", "-c", metavar="FILE", help="A YAML file of settings; a later one wins.", show_default=False
    ),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Sets one key, such as smtp.max_recipients=200.", show_default=False
    ),
]
Data = Annotated[
    Path, typer.Option("--data", metavar="DIR", envvar="MAILRAVEN_DATA", help="The data directory of `mailraven up`.")
]
DEFAULT_DATA = Path("data")
