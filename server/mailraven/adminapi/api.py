"""The admin API under /api/v1: bearer tokens, RFC 9457 problems. Makes the FastAPI application."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated

import structlog
from fastapi import Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from mailraven import __version__
from mailraven.adminapi.headers import PROBLEM
from mailraven.directory import AddressError, Directory, DirectoryUnavailable
from mailraven.telemetry import metrics

_log = structlog.get_logger(component="adminapi")
# No NUL: Postgres refuses it in text.
Name = Annotated[str, Query(max_length=320, pattern=r"^[^\x00]*$")]
Limit = Annotated[int, Query(ge=1, le=1000)]


class Version(BaseModel):
    """What runs."""

    version: str


class Domain(BaseModel):
    """A mail domain of this server."""

    name: str
    suspended: bool
    created_at: datetime


class Account(BaseModel):
    """A user's account."""

    address: str
    display_name: str
    suspended: bool
    quota_bytes: int | None
    used_bytes: int
    created_at: datetime


def make_api(directory: Directory) -> FastAPI:
    """The application."""
    api = FastAPI(
        title="MailRaven",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    authorized = [Depends(_token_check(directory))]

    @api.get("/api/v1/version", dependencies=authorized)
    async def version() -> Version:
        return Version(version=__version__)

    @api.get("/api/v1/domains", dependencies=authorized)
    async def domains(after: Name = "", limit: Limit = 100) -> list[Domain]:
        found = await directory.list_domains(after=after, limit=limit)
        return [Domain.model_validate(item, from_attributes=True) for item in found]

    @api.get("/api/v1/accounts", dependencies=authorized)
    async def accounts(domain: Name, after: Name = "", limit: Limit = 100) -> list[Account]:
        found = await directory.list_accounts(domain, after=after, limit=limit)
        return [Account.model_validate(item, from_attributes=True) for item in found]

    _add_problems(api)
    return api


def _token_check(directory: Directory) -> Callable[[Request], Awaitable[None]]:
    async def check(request: Request) -> None:
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        name = await directory.verify_token(secret.strip()) if scheme.lower() == "bearer" and secret else None
        if name is not None:
            metrics.AUTH_ATTEMPTS.labels("http", "ok").inc()
            return
        metrics.AUTH_ATTEMPTS.labels("http", "failed").inc()
        _log.warning(
            "authentication_failed",
            ip=request.client.host if request.client else "",
            reason="invalid_token" if secret else "no_token",
            endpoint=request.url.path,
        )
        raise HTTPException(401, "A valid bearer token is needed.", {"WWW-Authenticate": "Bearer"})

    return check


def _add_problems(api: FastAPI) -> None:
    @api.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> JSONResponse:
        return _problem(error.status_code, str(error.detail), error.headers)

    @api.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        details = [f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()]
        return _problem(422, "; ".join(details))

    @api.exception_handler(AddressError)
    async def bad_address(_: Request, error: AddressError) -> JSONResponse:
        return _problem(422, str(error))

    @api.exception_handler(Exception)
    async def defect(_: Request, _error: Exception) -> Response:
        # Raised again behind this answer, and logged there with its request id.
        return Response(PROBLEM, 500, media_type="application/problem+json")

    @api.exception_handler(DirectoryUnavailable)
    async def unavailable(_: Request, _error: DirectoryUnavailable) -> JSONResponse:
        return _problem(503, "The database does not answer; try again later.", {"Retry-After": "5"})


def _problem(status: int, detail: str, headers: object = None) -> JSONResponse:
    from http import HTTPStatus

    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    extra = dict(headers) if isinstance(headers, dict) else None
    return JSONResponse(body, status, extra, media_type="application/problem+json")
