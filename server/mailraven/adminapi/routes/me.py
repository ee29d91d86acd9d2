"""/api/v1/me: who asks, his password, his second factor."""

from typing import Annotated

from fastapi import APIRouter, Depends

from mailraven.adminapi import credential_actions
from mailraven.adminapi.access import Principal, Role, Who, allow
from mailraven.adminapi.problems import problems
from mailraven.adminapi.services import Api
from mailraven.directory.account_listing import show_account
from mailraven.directory.recovery import count_recovery_codes
from mailraven_api.credentials import BothFactors, Confirmation, Me, OwnPassword, RecoveryCodes, TotpCode, TotpEnrolment

router = APIRouter(prefix="/api/v1/me", tags=["me"])

Reader = Annotated[Principal, Depends(allow("", Who.ANYONE))]
Writer = Annotated[Principal, Depends(allow("accounts:write", Who.ANYONE))]


@router.get("", summary="Who am I?", responses=problems(404))
async def get_me(api: Api, principal: Reader) -> Me:
    """The account or the service behind the credential, what it may administer, and what it holds."""
    me = Me(
        actor=principal.actor,
        role=principal.role.value,
        address=principal.address,
        scopes=tuple(sorted(principal.scopes)),
        must_enrol=principal.must_enrol,
    )
    async with api.database.acquire() as connection:
        if principal.role is Role.DOMAIN_ADMIN:
            rows = await connection.fetch(
                "SELECT name FROM domain WHERE id = ANY ($1::bigint[]) ORDER BY name", list(principal.domain_ids)
            )
            me = me.model_copy(update={"domains": tuple(row["name"] for row in rows)})
        if principal.account_id is None:
            return me
        account = await show_account(connection, principal.account_id)
        held = {
            "display_name": account.display_name,
            "quota_bytes": account.quota_bytes,
            "used_bytes": account.used_bytes,
            "totp": account.totp,
            "recovery_codes": await count_recovery_codes(connection, principal.account_id),
        }
    return me.model_copy(update=held)


@router.put("/password", status_code=204, summary="Change my password", responses=problems(404, 412))
async def put_my_password(api: Api, principal: Writer, body: OwnPassword) -> None:
    """All sessions end within a minute, this one at once: log in again with the new one. App passwords stay unless
    told otherwise. 403: the old password is wrong. 412: it has been changed meanwhile.
    """
    await credential_actions.change_own_password(api, principal, body)


@router.post("/totp", summary="Begin to set up a second factor", responses=problems(404, 409, 412))
async def begin_totp(api: Api, principal: Writer, body: Confirmation) -> TotpEnrolment:
    """Nothing changes until it is confirmed. 409: there is one, or the server has no master key."""
    password = body.password.get_secret_value()
    begun = await credential_actions.begin_enrolment(api, principal, password)
    return TotpEnrolment(secret=begun.secret, uri=begun.uri)


@router.post("/totp/confirm", summary="Confirm the second factor", responses=problems(404, 409))
async def confirm_totp(api: Api, principal: Writer, body: TotpCode) -> RecoveryCodes:
    """In force from here on, and all sessions end; mail clients need app passwords. The answer has the recovery
    codes: nobody can read them again. 409: nothing was begun, or there is one. 422: the code is wrong.
    """
    return RecoveryCodes(codes=await credential_actions.confirm_enrolment(api, principal, body.code.get_secret_value()))


@router.post("/totp/disable", status_code=204, summary="Remove my second factor", responses=problems(404, 409, 412))
async def disable_totp(api: Api, principal: Writer, body: BothFactors) -> None:
    """With its recovery codes; all sessions end. 403: the password or the code is wrong. 409: there is none."""
    password, code = body.password.get_secret_value(), body.code.get_secret_value()
    await credential_actions.disable_second_factor(api, principal, password, code)


@router.post("/recovery-codes", summary="Get new recovery codes", responses=problems(404, 409, 412))
async def renew_my_recovery_codes(api: Api, principal: Writer, body: BothFactors) -> RecoveryCodes:
    """In place of all old ones. 403: the password or the code is wrong. 409: there is no second factor."""
    password, code = body.password.get_secret_value(), body.code.get_secret_value()
    return RecoveryCodes(codes=await credential_actions.renew_codes(api, principal, password, code))
