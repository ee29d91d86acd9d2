"""Quantities of Kubernetes ("2Gi", "500M") for numbers of octets."""

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

_DECIMAL = {"": 0, "k": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_QUANTITY = re.compile(r"([0-9]{1,19}(?:\.[0-9]{1,9})?)(k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|)", re.ASCII)
_PATTERN = r"^(none|[0-9]{1,19}(\.[0-9]{1,9})?(k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?)$"
NONE = "none"
"""In place of a quantity: no quota, whatever the default is. (A null would be lost on its way through Kubernetes.)"""


def octets(text: str) -> int:
    """Octets of a quantity; parts of an octet count as a whole one. Raises ValueError."""
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError('expected octets, or a quantity such as "500M" or "2Gi"')
    unit = match[2]
    factor = 1024 ** _BINARY[unit] if unit in _BINARY else 1000 ** _DECIMAL[unit]
    number = Decimal(match[1]) * factor
    whole = int(number)
    return whole if whole == number else whole + 1


def _read(value: Any) -> Any:
    if value == NONE:
        return None
    return octets(value) if isinstance(value, str) else value


Quota = Annotated[
    Annotated[int, Field(gt=0, lt=2**63)] | None,
    BeforeValidator(_read),
    PlainSerializer(lambda value: NONE if value is None else value, when_used="json"),
    WithJsonSchema(
        {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "x-kubernetes-int-or-string": True,
            "minimum": 1,
            "maxLength": 32,
            "pattern": _PATTERN,
            "x-kubernetes-validations": [
                {
                    # Not quantity(self): rules run beside the pattern, and the API server computes 1e999999999.
                    "rule": "type(self) == int || self == 'none' || self.matches('[1-9]')",
                    "message": 'expected more than nothing; "none" stands for no quota',
                }
            ],
        }
    ),
]
"""Octets as a number or a quantity; None (in YAML: none) is no quota."""
