"""CEL rules of the CRDs, written beside the fields that they are about."""

from typing import Any

TEMPLATED: dict[str, Any] = {"x-of-the-template": True}
"""Of a model whose defaults are for the server's domain template to say: the CRD has none for its fields."""


def rules(*pairs: tuple[str, str] | tuple[str, str, str]) -> dict[str, Any]:
    """For `json_schema_extra`: (expression, message) or (expression, message, path of the field it is about)."""
    found = []
    for expression, message, *path in pairs:
        rule = {"rule": expression, "message": message}
        found.append(rule | {"fieldPath": path[0]} if path else rule)
    return {"x-kubernetes-validations": found}
