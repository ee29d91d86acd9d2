"""Errors as problem+json (RFC 9457), and the one table from the errors of the nouns to their status."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException

from mailraven import certificates, directory, dkim, mailstore, sealing
from mailraven.adminapi.headers import PROBLEM
from mailraven.db import DatabaseUnavailable

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 5
# Unauthenticated, not allowed, not valid, too often, database away: any route may answer these.
EVERYWHERE = (400, 401, 403, 413, 414, 415, 422, 429, 503)

# The first that fits: put a child before its parent. Owners of nouns add their errors here.
STATUS: tuple[tuple[type[Exception], int], ...] = (
    (DatabaseUnavailable, 503),
    (directory.DirectoryUnavailable, 503),
    (mailstore.Unavailable, 503),
    (directory.VersionMismatch, 412),
    (directory.WeakPassword, 422),
    (directory.WrongCode, 422),
    (directory.InvalidValue, 422),
    (sealing.SealingError, 409),
    (certificates.InvalidCertificate, 422),
    (certificates.CertificateError, 409),
    (dkim.DkimError, 409),
    (mailstore.OverQuota, 422),
    (mailstore.InvalidName, 422),
    (mailstore.TooManyKeywords, 422),
    (mailstore.MailstoreError, 409),
    (directory.DirectoryError, 409),
)
_AWAY = "The database does not answer; try again later."


class FieldProblem(BaseModel):
    """What is wrong with one value."""

    pointer: str = Field(description="Where: a JSON pointer into the body (RFC 6901), or the name of a parameter.")
    detail: str


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str = "about:blank"
    title: str = Field(description="The status in words.")
    status: int
    detail: str = Field(description="What went wrong, for people.")
    errors: list[FieldProblem] | None = Field(default=None, description="The values that are not valid (422).")


class ApiProblem(Exception):
    """An answer that is an error. `errors` are (pointer, detail); further members are added to the document."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        title: str | None = None,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[tuple[str, str]] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.title = title
        self.headers = dict(headers or {})
        self.errors = errors
        self.members = members

    @property
    def body(self) -> dict[str, Any]:
        """The document."""
        document: dict[str, Any] = {
            "type": "about:blank",
            "title": self.title or HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors is not None:
            document["errors"] = [{"pointer": pointer, "detail": detail} for pointer, detail in self.errors]
        return document | self.members

    def response(self) -> JSONResponse:
        """The answer."""
        return JSONResponse(self.body, self.status, self.headers, media_type=MEDIA_TYPE)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses=problems(404, 409)` of a route: what it may answer beside EVERYWHERE."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


def problem_of(error: Exception) -> ApiProblem | None:
    """The answer for an error of a noun; None: it is a defect."""
    if type(error).__name__.startswith("NoSuch") and isinstance(error, _parents()):
        return ApiProblem(404, _sentence(error))
    for kind, status in STATUS:
        if isinstance(error, kind):
            if status == 503:
                return ApiProblem(503, _AWAY, headers={"Retry-After": str(RETRY_SECONDS)})
            return ApiProblem(status, _sentence(error))
    return None


def _parents() -> tuple[type[Exception], ...]:
    return tuple(kind for kind, _ in STATUS)


def _sentence(error: Exception) -> str:
    text = str(error) or type(error).__name__
    if text.partition(" ")[0].isalpha():  # no address, no field, no selector
        text = text[0].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."


def add_problems(api: FastAPI) -> None:
    """Every error that leaves a route becomes a problem."""

    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - for the type: handlers are chosen by it
        return ApiProblem(error.status_code, _sentence(Exception(error.detail)), headers=error.headers).response()

    async def raised(_: Request, error: Exception) -> Response:
        assert isinstance(error, ApiProblem)  # noqa: S101 - for the type: handlers are chosen by it
        return error.response()

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError | ValidationError)  # noqa: S101 - for the type: handlers are chosen by it
        return validation_problem(error).response()

    async def of_a_noun(_: Request, error: Exception) -> Response:
        problem = problem_of(error)
        if problem is None:
            raise error
        return problem.response()

    async def defect(_: Request, _error: Exception) -> Response:
        # Raised again behind this answer, and logged there with its request id.
        return Response(PROBLEM, 500, media_type=MEDIA_TYPE)

    api.add_exception_handler(HTTPException, refused)
    api.add_exception_handler(ApiProblem, raised)
    api.add_exception_handler(RequestValidationError, invalid)
    for kind, _status in STATUS:
        api.add_exception_handler(kind, of_a_noun)
    api.add_exception_handler(Exception, defect)


def validation_problem(error: RequestValidationError | ValidationError) -> ApiProblem:
    """422 with a pointer to each wrong value; the values themselves are not repeated: they may be secrets."""
    found = [(_pointer(item["loc"]), _message(item)) for item in error.errors()[:100]]
    detail = "; ".join(f"{pointer or '/'}: {text}" for pointer, text in found[:5])
    return ApiProblem(422, f"Not valid: {detail}"[:2000], errors=found)


def _message(item: Mapping[str, Any]) -> str:
    return _storable(str(item["msg"]).removeprefix("Value error, "))


def _pointer(location: Sequence[Any]) -> str:
    parts = [str(part) for part in location]
    if parts and parts[0] in ("body", "query", "path", "header", "cookie"):
        parts = parts[1:]
    return _storable("".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts))


def _storable(text: str) -> str:
    return text.encode(errors="replace").decode()[:500]
