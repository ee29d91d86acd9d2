"""/api/v1/accounts/{address}: password, second factor, app passwords and sessions of an account.
/api/v1/app-passwords: those of all accounts.
"""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Path

from mailraven.adminapi import credential_actions
from mailraven.adminapi.access import Principal, Who, allow, change
from mailraven.adminapi.paging import Page, Paging
from mailraven.adminapi.problems import ApiProblem, problems
from mailraven.adminapi.services import Api
from mailraven.directory.app_passwords import (
    create_app_password,
    delete_app_password,
    list_all_app_passwords,
    list_app_passwords,
)
from mailraven.directory.web_sessions import list_sessions
from mailraven_api.credentials import (
    AccountAppPassword,
    AppPassword,
    AppPasswordCreate,
    AppPasswordSecret,
    BrowserSession,
    NewPassword,
)

router = APIRouter(prefix="/api/v1/accounts/{address}", tags=["credentials"])
everywhere = APIRouter(prefix="/api/v1/app-passwords", tags=["credentials"])

Reader = Annotated[Principal, Depends(allow("accounts:read", Who.ACCOUNT))]
Writer = Annotated[Principal, Depends(allow("accounts:write", Who.ACCOUNT))]


@router.put("/password", status_code=204, summary="Set the password of an account", responses=problems(404, 412))
async def put_password(api: Api, principal: Writer, body: NewPassword) -> None:
    """By an admin; the own one is changed under /me/password. All sessions of the account end within a minute."""
    await credential_actions.set_password_of(api, principal, body)


@router.delete("/totp", status_code=204, summary="Remove the second factor of an account", responses=problems(404))
async def reset_totp(api: Api, principal: Writer) -> None:
    """By an admin, for somebody who lost it; the own one is removed under /me/totp/disable. Sessions end. Nothing
    changes where there is none.
    """
    await credential_actions.reset_second_factor(api, principal)


@everywhere.get("", summary="List the app passwords of all accounts")
async def list_app_passwords_of_all(
    api: Api, principal: Annotated[Principal, Depends(allow("accounts:read", Who.ADMINS))], paging: Paging
) -> Page[AccountAppPassword]:
    """In the order in which they were made; a domain-admin sees those of his domains."""
    after, domains = paging.after_id, principal.administered()
    async with api.database.acquire() as connection:
        found = await list_all_app_passwords(connection, domains, after=after, limit=paging.fetch)
    return paging.page(found, lambda one: one[1].id, lambda one: AccountAppPassword(address=one[0], **asdict(one[1])))


@router.get("/app-passwords", summary="List app passwords", responses=problems(404))
async def get_app_passwords(api: Api, principal: Reader) -> Page[AppPassword]:
    """All of an account, at most 50; those that have expired stay in the list until another one is made."""
    async with api.database.acquire() as connection:
        found = await list_app_passwords(connection, principal.account.id)
    return Page(items=[AppPassword.model_validate(asdict(one)) for one in found])


@router.post("/app-passwords", status_code=201, summary="Make an app password", responses=problems(404, 409))
async def post_app_password(api: Api, principal: Writer, body: AppPasswordCreate) -> AppPasswordSecret:
    """For one mail client: the answer has the password, and nobody can read it again. It opens IMAP and SMTP, never
    this API, and so a token needs the scope `mail:write` too. 409: the name is taken.
    """
    ref = principal.account
    if not principal.has_scope("mail:write"):
        raise ApiProblem(403, "An app password opens the mailbox: the token's scopes do not include mail:write.")
    async with change(api, principal) as tx:
        made, secret = await create_app_password(
            tx.connection, ref.id, body.name, protocols=set(body.protocols), expires_at=body.expires_at
        )
        shown = AppPassword.model_validate(asdict(made))
        after = shown.model_dump(mode="json", include={"id", "name", "protocols", "expires_at"})
        await tx.audit("app_password.create", ref.address, domain_id=ref.domain_id, after=after)
    return AppPasswordSecret.model_validate({**asdict(made), "password": secret})


@router.delete("/app-passwords/{id}", status_code=204, summary="Delete an app password", responses=problems(404))
async def remove_app_password(
    api: Api, principal: Writer, app_password_id: Annotated[int, Path(alias="id", ge=1, lt=2**63)]
) -> None:
    """The sessions that it opened end within a minute."""
    ref = principal.account
    async with change(api, principal) as tx:
        gone = await delete_app_password(tx.connection, ref.id, app_password_id)
        before = {"id": gone.id, "name": gone.name}
        await tx.audit("app_password.delete", ref.address, domain_id=ref.domain_id, before=before)


@router.get("/sessions", summary="List browser sessions", responses=problems(404))
async def get_sessions(api: Api, principal: Reader) -> Page[BrowserSession]:
    """Those in force, the newest first. Sessions of mail clients are not listed."""
    idle = api.settings.admin.session_idle_minutes
    async with api.database.acquire() as connection:
        found = await list_sessions(connection, principal.account.id, idle_minutes=idle)
    return Page(items=[BrowserSession.model_validate(asdict(one)) for one in found])


@router.delete("/sessions", status_code=204, summary="End all sessions", responses=problems(404))
async def delete_sessions(api: Api, principal: Writer) -> None:
    """Of the browser at once, of mail clients within a minute. Whoever has the credentials may log in again."""
    await credential_actions.end_sessions_of(api, principal)
