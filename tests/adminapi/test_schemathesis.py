"""What the OpenAPI document says is what the server does, for requests that it allows and for those that it does not.

Sent to a real server over a real database as a super-admin: no 5xx, no status, type or body that is not documented.
"""

import asyncio
import os
import socket
import threading
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from mailraven.adminapi import openapi
from mailraven.adminapi.api import make_routes
from mailraven.adminapi.server import HttpServer
from mailraven.testing.admin_api import running_admin_api
from mailraven.testing.dns_server import DnsServer
from mailraven.testing.postgres import TestCluster
from mailraven.testing.role_world import ANN, OWN, Caller, RoleWorld

T = TypeVar("T")
EXAMPLES = int(os.environ.get("MAILRAVEN_API_EXAMPLES", "8"))  # of each operation, allowed and not allowed ones each
CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
SCHEMA = schemathesis.openapi.from_dict(openapi.document(make_routes()))
OPERATIONS = {operation.label: operation for operation in (found.ok() for found in SCHEMA.get_all_operations())}
REAL = {"domain": OWN, "address": ANN, "name": "test", "localpart": "alias", "section": "1"}


@schemathesis.serializer("message/rfc822")
def _message(_context: Any, value: Any) -> bytes:
    """What is generated is text at best, which a message may be."""
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")


class Background:
    """The server in a loop of its own: schemathesis calls it from outside."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._stack = AsyncExitStack()
        self.url = ""
        self.world: RoleWorld

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(60)

    async def start(self, cluster: TestCluster, directory: Path) -> None:
        dsn = await cluster.borrow()
        self._stack.push_async_callback(cluster.give_back, dsn)
        zones = await self._stack.enter_async_context(DnsServer({OWN: "", "example.test": ""}))
        settings = {"delivery": {"resolver": [zones.endpoint], "dns_timeout": 1}}
        api = await self._stack.enter_async_context(running_admin_api(dsn, directory, config=settings))
        self.world = RoleWorld(api)
        # With its protocol named asyncio sets TCP_NODELAY; else each answer waits 40 ms for the client's ACK.
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.setblocking(False)
        server = HttpServer(api.app)
        await server.start([("http", listening, "none")])
        self._stack.push_async_callback(server.drain, 5)
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"

    def close(self) -> None:
        self.run(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture(scope="module")
def background(cluster: TestCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Background]:
    made = Background()
    try:
        made.run(made.start(cluster, tmp_path_factory.mktemp("api")))
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("label", sorted(OPERATIONS))
def test_the_server_does_what_its_document_says(background: Background, label: str) -> None:
    operation = OPERATIONS[label]
    cases = [operation.as_strategy(generation_mode=mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)]
    background.run(background.world.mend())

    @hypothesis.settings(
        max_examples=EXAMPLES * len(cases),
        derandomize=True,
        deadline=None,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=st.one_of(cases), real=st.booleans())
    def check(case: Any, real: bool) -> None:
        if real and case.path_parameters:
            known = REAL | background.world.values
            case.path_parameters |= {name: known[name] for name in case.path_parameters if name in known}
        answer = case.call(base_url=background.url, headers=background.world.headers(Caller.SUPER), timeout=30)
        case.validate_response(answer, checks=list(CHECKS))
        if answer.status_code < 300 and case.method != "GET":
            background.run(background.world.mend())

    check()
