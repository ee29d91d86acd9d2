"""Structural schemas of Kubernetes (OpenAPI 3.0) from the models. Pure."""

from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]
_KEPT = (
    "description", "type", "format", "enum", "default", "minimum", "maximum", "minLength", "maxLength", "pattern",
    "minItems", "maxItems", "maxProperties", "required", "properties", "items", "additionalProperties", "anyOf",
)  # fmt: skip
"""In this order; what begins with x-kubernetes- follows."""


def structural(model: type[BaseModel]) -> Schema:
    """The schema of a model's documents, without references."""
    whole = model.model_json_schema(by_alias=True)
    return _Builder(whole.get("$defs", {})).build(whole)


class _Builder:
    def __init__(self, definitions: dict[str, Schema]) -> None:
        self._definitions = definitions

    def build(self, schema: Schema) -> Schema:
        """One node with all below it."""
        schema = self._flat(schema)
        found: Schema = {}
        for name in (*_KEPT, *(name for name in schema if name.startswith("x-kubernetes-"))):
            if name in schema:
                found[name] = schema[name]
        if "x-kubernetes-int-or-string" in found:
            found.pop("default", None)
            return found
        _bounds(schema, found)
        if "const" in schema:
            found["enum"] = [schema["const"]]
        if "description" in found:
            found["description"] = " ".join(found["description"].split())
        if "properties" in found:
            found["properties"] = {name: self.build(inner) for name, inner in found["properties"].items()}
            if schema.get("x-of-the-template"):
                for inner in found["properties"].values():
                    inner.pop("default", None)
        if "items" in found:
            found["items"] = self.build(found["items"])
        if "patternProperties" in schema:  # of labels: Kubernetes has no patterns of keys
            (found["additionalProperties"],) = schema["patternProperties"].values()
        if isinstance(found.get("additionalProperties"), dict):
            found["additionalProperties"] = self.build(found["additionalProperties"])
        else:
            found.pop("additionalProperties", None)  # Kubernetes refuses or drops what it does not know by itself
        _default(found)
        return found

    def _flat(self, schema: Schema) -> Schema:
        """With the definition it refers to, and without "or null"; what is said beside the reference wins."""
        while "$ref" in schema or "anyOf" in schema or "allOf" in schema:
            if "x-kubernetes-int-or-string" in schema:
                return schema
            beside = {name: value for name, value in schema.items() if name not in ("$ref", "anyOf", "allOf")}
            if "$ref" in schema:
                inner = self._definitions[schema["$ref"].rpartition("/")[2]]
            else:
                (inner,) = (one for one in schema.get("anyOf") or schema["allOf"] if one.get("type") != "null")
            schema = {**inner, **beside}
        return schema


def _bounds(schema: Schema, found: Schema) -> None:
    """As whole numbers within the bounds: OpenAPI 3.0 has no exclusive ones of its own."""
    if found.get("type") == "integer":
        found["format"] = "int64"
        if "exclusiveMinimum" in schema:
            found["minimum"] = schema["exclusiveMinimum"] + 1
        if "exclusiveMaximum" in schema:
            found["maximum"] = schema["exclusiveMaximum"] - 1


def _default(found: Schema) -> None:
    """Only what says something: a null, a zero or an empty list is the same as nothing."""
    if found.get("type") == "object":
        inner = found.get("properties", {}).values()
        if found.pop("default", None) is not None and any("default" in one for one in inner):
            found["default"] = {}
    elif not found.get("default"):
        found.pop("default", None)
