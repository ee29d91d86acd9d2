"""The OpenAPI document: committed, complete, the same in each process."""

import json
import subprocess
import sys
from pathlib import Path

import httpx
from fastapi import FastAPI

from mailraven.adminapi import openapi
from mailraven.adminapi.api import make_routes
from mailraven.testing.admin_api import AdminApi

COMMITTED = Path(__file__).parents[2] / "docs" / "openapi.json"
PROGRAM = Path(sys.executable).parent / "mailraven"


def test_the_committed_document_is_that_of_the_program() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == openapi.render(make_routes()), "run `make docs`"


def test_every_process_writes_the_same() -> None:
    printed = subprocess.run([PROGRAM, "docs", "openapi"], capture_output=True, check=True, env={"PYTHONHASHSEED": "7"})
    assert printed.stdout.decode() == openapi.render(make_routes())


def test_operations_say_what_they_are_and_what_they_answer() -> None:
    document = openapi.document(make_routes())
    assert document["openapi"].startswith("3.1")
    seen: set[str] = set()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            what = f"{method} {path}"
            assert operation["summary"], what
            assert "**Who:**" in operation["description"], what
            assert operation["operationId"] not in seen, f"{what}: {operation['operationId']} twice"
            seen.add(operation["operationId"])
            for status, answer in operation["responses"].items():
                if status >= "400":
                    assert list(answer["content"]) == ["application/problem+json"], (what, status)
            assert {"401", "403", "422", "429", "503"} <= operation["responses"].keys(), what
            assert operation["security"] or operation["operationId"] == "log_in", what


def test_every_reference_leads_somewhere() -> None:
    text = openapi.render(make_routes())
    document = json.loads(text)
    schemas = document["components"]["schemas"]
    for reference in {part.split('"')[0] for part in text.split('"$ref": "')[1:]}:
        assert reference.removeprefix("#/components/schemas/") in schemas, reference
    assert "HTTPValidationError" not in text


async def test_the_server_shows_it(admin_api: AdminApi) -> None:
    answer: httpx.Response = await admin_api.client.get("/api/v1/openapi.json")
    assert answer.json() == openapi.document(make_routes())


def test_the_document_needs_no_services() -> None:
    assert isinstance(make_routes(), FastAPI)
