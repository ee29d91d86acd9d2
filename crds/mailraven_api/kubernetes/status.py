"""Reading a status: it is the operator's own, so nothing in it can make a resource invalid."""

from typing import Annotated, Any, TypeVar

from pydantic import ValidationError, WrapValidator

_Status = TypeVar("_Status")


def _read(value: Any, handler: Any) -> Any:
    try:
        return handler({} if value is None else value)
    except ValidationError:
        return handler({})


LenientStatus = Annotated[_Status, WrapValidator(_read)]
"""What is not understood counts as no status: the next reconciliation writes it anew."""
