"""The generated files are those of the models, and the schemas keep what Kubernetes wants of them."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mailraven_api.kubernetes.crd import DEFINITIONS, crds

ROOT = Path(__file__).parents[2]


def written() -> dict[Path, str]:
    spec = importlib.util.spec_from_file_location("write_crds", ROOT / "scripts" / "crds.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: dict[Path, str] = module.files()
    return found


def nodes(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from nodes(inner, f"{path}.{name}")
    for name in ("items", "additionalProperties"):
        if name in schema:
            yield from nodes(schema[name], f"{path}[]")


@pytest.mark.parametrize("path", sorted(written()), ids=lambda path: path.name)
def test_a_file_is_up_to_date(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == written()[path], "run `make crds`"


def test_no_other_crd_lies_about() -> None:
    assert {path.name for path in (ROOT / "crds").glob("*.yaml")} == {f"{one.name}.yaml" for one in DEFINITIONS}


def test_the_files_are_the_documents() -> None:
    for document in crds():
        path = ROOT / "crds" / f"{document['metadata']['name']}.yaml"
        assert yaml.safe_load(path.read_text(encoding="utf-8")) == document


def test_names_are_those_of_the_conventions() -> None:
    names = {one["kind"]: one for one in (document["spec"]["names"] for document in crds())}
    assert list(names) == ["MailDomain", "MailUser", "RateLimitPolicy", "BackupSchedule", "Backup", "Restore"]
    assert {kind: one["shortNames"] for kind, one in names.items()} == {
        "MailDomain": ["md"], "MailUser": ["mu"], "RateLimitPolicy": ["rlp"], "BackupSchedule": ["bs"],
        "Backup": ["mbk"], "Restore": ["mrs"],
    }  # fmt: skip
    assert {tuple(one["categories"]) for one in names.values()} == {("mailraven",)}


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.kind)
def test_every_field_says_what_it_is(definition: Any) -> None:
    for part in ("spec", "status"):
        for path, schema in nodes(definition.schema["properties"][part], part):
            assert path.endswith("[]") or schema.get("description"), path


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.kind)
def test_everything_that_people_write_has_an_end(definition: Any) -> None:
    """Else rules have no bounded cost, and one resource may fill etcd."""
    for path, schema in nodes(definition.schema["properties"]["spec"], "spec"):
        match schema.get("type"):
            case "string":
                assert "maxLength" in schema or "enum" in schema or schema.get("format") == "date-time", path
            case "array":
                assert "maxItems" in schema, path
            case "object":
                assert "properties" in schema or "maxProperties" in schema, path


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.kind)
def test_nothing_in_a_schema_is_of_another_dialect(definition: Any) -> None:
    known = {
        "description", "type", "format", "enum", "default", "minimum", "maximum", "minLength", "maxLength", "pattern",
        "minItems", "maxItems", "maxProperties", "required", "properties", "items", "additionalProperties", "anyOf",
        "x-kubernetes-validations", "x-kubernetes-int-or-string", "x-kubernetes-list-type",
        "x-kubernetes-list-map-keys",
    }  # fmt: skip
    for path, schema in nodes(definition.schema, ""):
        assert set(schema) <= known, path


def test_what_the_template_says_has_no_default_here() -> None:
    (domain,) = (one for one in DEFINITIONS if one.kind == "MailDomain")
    spec = domain.schema["properties"]["spec"]
    defaults = {path for path, schema in nodes(spec, "spec") if "default" in schema}
    assert defaults == {
        "spec.tls.issuerRef.kind", "spec.tls.issuerRef.group", "spec.allowedNamespaces", "spec.allowedNamespaces.from",
        "spec.reclaimPolicy",
    }  # fmt: skip
