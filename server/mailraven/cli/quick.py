"""Values of options without typer's validators: those import pydantic, which takes longer than most commands.

Texts, flags, paths and words of an enum need none. Anything else, and every error, goes typer's way.
"""

from enum import Enum
from pathlib import Path
from typing import Any


class _Quick:
    """Stands where typer keeps the validator of a parameter (core._TyperParameter.get_runtime_param)."""

    def __init__(self, parameter: Any) -> None:
        self._parameter = parameter

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value in its type."""
        kind = self._parameter.type_descriptor.annotation
        several = param.multiple or param.nargs == -1
        if value is None:
            return () if several else None
        if not several and isinstance(kind, type):
            if isinstance(value, kind):
                return value
            if kind is Path and isinstance(value, str):
                return Path(value)
            if issubclass(kind, Enum) and value in [item.value for item in kind]:
                return kind(value)
        if several and kind == list[str] and all(isinstance(item, str) for item in value):
            return list(value)
        return self._slowly(value, param, ctx)

    def _slowly(self, value: Any, param: Any, ctx: Any) -> Any:
        self._parameter._runtime_param = None
        return self._parameter.get_runtime_param().coerce(value, param=param, ctx=ctx)


def quicken(parameters: list[Any]) -> list[Any]:
    """The same parameters."""
    for parameter in parameters:
        if getattr(parameter, "_runtime_param", parameter) is None:  # else another typer, or done
            parameter._runtime_param = _Quick(parameter)
    return parameters
