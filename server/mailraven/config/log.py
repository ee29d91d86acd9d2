"""Settings of the log."""

from typing import Annotated, Literal

from pydantic import BeforeValidator

from mailraven.config.section import Section


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


class LogConfig(Section):
    """One line for each event."""

    level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = "info"
    """The least important level that is written."""
    format: Literal["json", "console"] = "json"
    """JSON for machines or coloured text; `mailraven up` on a terminal uses console."""
    output: Literal["stdout", "stderr"] = "stdout"
    """Where to; `mailraven up` uses stderr."""
