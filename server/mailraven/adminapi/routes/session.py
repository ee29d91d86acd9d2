"""/api/v1/session: log in with address, password and second factor; who am I; log out."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from mailraven.adminapi import logins
from mailraven.adminapi.access import Principal, Who, allow
from mailraven.adminapi.authentication import COOKIE
from mailraven.adminapi.problems import problems
from mailraven.adminapi.services import Api
from mailraven.adminapi.trail import trail_of
from mailraven.directory.web_sessions import csrf_token_of
from mailraven_api.session import Login, SessionInfo

router = APIRouter(prefix="/api/v1/session", tags=["session"])


@router.post("", status_code=201, summary="Log in", responses=problems(409))
async def log_in(
    request: Request,
    response: Response,
    api: Api,
    _: Annotated[Principal, Depends(allow("", Who.PUBLIC))],
    body: Login,
) -> SessionInfo:
    """Sets the cookie of a browser session. 401 with `second_factor: true`: the password is right, and a code has to
    be sent with it. 409: the second factor cannot be checked, the server has lost its master key.
    """
    opened = await logins.log_in(request, api, body)
    trail = trail_of(request)
    response.set_cookie(
        COOKIE,
        opened.cookie,
        max_age=api.settings.admin.session_hours * 3600,
        path="/",
        secure=trail.client.secure,
        httponly=True,
        samesite="strict",
    )
    return opened.info


@router.get("", summary="Show my session")
async def get_session(request: Request, principal: Annotated[Principal, Depends(allow("", Who.ANYONE))]) -> SessionInfo:
    """Also the CSRF token again, for a page that was loaded anew."""
    cookie = request.cookies.get(COOKIE, "")
    return SessionInfo(
        actor=principal.actor,
        address=principal.address,
        role=principal.role.value,
        must_enrol=principal.must_enrol,
        csrf_token=csrf_token_of(cookie) if principal.session is not None else None,
        expires_at=principal.expires_at,
    )


@router.delete("", status_code=204, summary="Log out", responses=problems(409))
async def log_out(
    response: Response, api: Api, principal: Annotated[Principal, Depends(allow("", Who.ANYONE))]
) -> None:
    """The cookie opens nothing any more. 409: a token is no session; delete it instead."""
    await logins.log_out(api, principal)
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
