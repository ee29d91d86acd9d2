"""The OpenAPI 3.1 document: FastAPI's, with who may call a route, and problems as RFC 9457 has them."""

import json
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from mailraven.adminapi.access import Allow, Who
from mailraven.adminapi.authentication import COOKIE
from mailraven.adminapi.problems import EVERYWHERE, Problem, problems

_DESCRIPTION = """\
Everything that an operator, the web admin, scripts and people may do to a MailRaven server.

Send a bearer token in `Authorization`, or the cookie of a browser session with its CSRF token in `X-CSRF-Token`.
Errors are problem documents (RFC 9457). Lists have cursors. Resources that may change have an `ETag`; send it back in
`If-Match`. What you may not know of answers 404. docs/admin-api.md has examples.
"""
_WHO = {
    Who.PUBLIC: "Anybody.",
    Who.ANYONE: "Whoever has a credential.",
    Who.ADMINS: "Domain-admins and super-admins; lists show what they administer.",
    Who.SUPER: "Super-admins.",
    Who.DOMAIN: "The admins of the domain.",
    Who.ACCOUNT: "The account itself and the admins of its domain.",
}
_SECURITY_SCHEMES = {
    "token": {"type": "http", "scheme": "bearer", "description": "A token (POST /api/v1/tokens)."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "A browser session (POST /api/v1/session); changes need its CSRF token in X-CSRF-Token.",
    },
}


def install(api: FastAPI) -> None:
    """Let the application answer with `document`."""

    def openapi() -> dict[str, Any]:
        if api.openapi_schema is None:
            api.openapi_schema = document(api)
        return api.openapi_schema

    api.openapi = openapi  # type: ignore[method-assign]


def document(api: FastAPI) -> dict[str, Any]:
    """The document, the same in each process."""
    made = get_openapi(
        title=api.title,
        version=api.version,
        openapi_version="3.1.0",
        description=_DESCRIPTION,
        routes=api.routes,
        separate_input_output_schemas=True,
    )
    components = made.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= {**problem.pop("$defs"), "Problem": problem}
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    components["securitySchemes"] = _SECURITY_SCHEMES
    for route, method, allowed in access_of(api):
        operation = made["paths"].get(route.path_format, {}).get(method)
        if operation is None:
            continue
        text = f"**Who:** {_WHO[allowed.who]}"
        if allowed.scope:
            text += f" **Scope:** `{allowed.scope}`"
        operation["description"] = "\n\n".join(filter(None, (operation.get("description", ""), text)))
        # In place of FastAPI's own 422.
        operation["responses"] |= {str(status): answer for status, answer in problems(*EVERYWHERE).items()}
        operation["security"] = [] if allowed.who is Who.PUBLIC else [{"token": []}, {"session": []}]
    return made


def render(api: FastAPI) -> str:
    """As docs/openapi.json has it."""
    return json.dumps(document(api), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def access_of(api: FastAPI) -> list[tuple[APIRoute, str, Allow]]:
    """Route, method (lower case) and rights of every route. Raises LookupError for one that has none."""
    found = []
    for route in api_routes(api):
        allowed = _allow_of(route.dependant)
        if allowed is None:
            raise LookupError(f"{sorted(route.methods or ())} {route.path} does not say who may call it")
        found += [(route, method.lower(), allowed) for method in sorted(route.methods or ())]
    return found


def api_routes(api: FastAPI) -> list[APIRoute]:
    """All but the document's own."""
    return [route for route in api.routes if isinstance(route, APIRoute)]


def _allow_of(dependant: Any) -> Allow | None:
    for below in dependant.dependencies:
        if isinstance(below.call, Allow):
            return below.call
        if (found := _allow_of(below)) is not None:
            return found
    return None
