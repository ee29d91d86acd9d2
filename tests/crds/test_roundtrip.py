"""Whatever the schema of a kind allows is read without a crash; what the model takes survives YAML."""

import functools
import re
import string
from contextlib import suppress
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mailraven_api.kubernetes.crd import DEFINITIONS, Definition

_WORDS = st.text(string.ascii_letters + string.digits + " ä@.-/:", max_size=12)
# One of these fits each pattern. (From the patterns themselves Hypothesis makes texts much slower.)
_FORMS = (
    "", "a", "abc", "a-1.b", "example.org", "xn--bcher-kva.example", "ann@example.org", '"a b"@x.example', "gold",
    "hour", "15m", "2h", "0 2 * * *", "*/5 0-6 1,15 * MON", "Europe/Berlin", "UTC", "eu-central-1", "s3.example:9000",
    "a/b/c", "tls.key", "Reconciled",
)  # fmt: skip
_TIMES = st.datetimes().map(lambda moment: moment.isoformat(timespec="seconds") + "Z")


def values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Documents that the schema allows; its CEL rules are not looked at."""
    if "x-kubernetes-int-or-string" in schema:
        return st.one_of(st.integers(1, 1 << 40), st.sampled_from(["none", "1", "2Gi", "1.5M", "0"]))
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema["type"]:
        case "object" if "windowMinutes" in schema.get("properties", {}):
            return st.fixed_dictionaries({"count": st.integers(1, 9), "window": st.sampled_from(["hour", "15m"])})
        case "object" if "properties" in schema:
            fields = {name: values(inner) for name, inner in schema["properties"].items()}
            needed = schema.get("required", ())
            optional = {name: inner for name, inner in fields.items() if name not in needed}
            return st.fixed_dictionaries({name: fields[name] for name in needed}, optional=optional)
        case "object":
            keys = st.text(string.ascii_lowercase, min_size=1, max_size=5)
            return st.dictionaries(keys, values(schema["additionalProperties"]), max_size=2)
        case "array":
            most = min(schema.get("maxItems", 2), 2)
            return st.lists(values(schema["items"]), min_size=schema.get("minItems", 0), max_size=most)
        case "integer":
            return st.integers(schema.get("minimum", -(1 << 40)), schema.get("maximum", 1 << 40))
        case "number":
            return st.floats(schema["minimum"], schema["maximum"], allow_nan=False)
        case "boolean":
            return st.booleans()
        case "string" if schema.get("format") == "date-time":
            return _TIMES
        case "string" if "pattern" in schema:
            fitting = [text for text in _FORMS if re.search(schema["pattern"], text)]
            return st.sampled_from([text for text in fitting if len(text) >= schema.get("minLength", 0)])
        case _:
            return _WORDS.filter(lambda text: len(text) >= schema.get("minLength", 0))


@functools.cache
def _documents(kind: str, part: str) -> st.SearchStrategy[Any]:
    (definition,) = (one for one in DEFINITIONS if one.kind == kind)
    return values(definition.schema["properties"][part])


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.kind)
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_from_the_model_to_yaml_and_back(definition: Definition, data: st.DataObject) -> None:
    spec = data.draw(_documents(definition.kind, "spec"))
    document = {
        "apiVersion": "mailraven.io/v1alpha1",
        "kind": definition.kind,
        "metadata": {"name": "example.org"},
        "spec": spec,
    }
    try:
        resource = definition.model.model_validate(document)
    except ValidationError:  # the rules, and what a pattern cannot say
        reject()
    text = yaml.safe_dump(resource.document(), allow_unicode=True)
    again = definition.model.model_validate(yaml.safe_load(text))
    assert again == resource
    assert again.model_fields_set == resource.model_fields_set
    assert again.document() == resource.document()


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.kind)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_status_survives_too(definition: Definition, data: st.DataObject) -> None:
    status = data.draw(_documents(definition.kind, "status"))
    model = definition.model.model_fields["status"].default.__class__
    found = model.model_validate(status)
    assert model.model_validate(found.model_dump(mode="json", by_alias=True, exclude_unset=True)) == found


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=10,
    )
)
def test_no_document_is_a_crash(spec: Any) -> None:
    for definition in DEFINITIONS:
        document = {"metadata": {"name": "x"}, "spec": spec}
        with suppress(ValidationError):
            definition.model.model_validate(document)
