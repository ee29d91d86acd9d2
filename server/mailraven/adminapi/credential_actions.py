"""What is done to credentials through the API: proven again by their owner, or set by an admin."""

from __future__ import annotations

from mailraven.adminapi.access import Principal, Role, change, too_many
from mailraven.adminapi.problems import ApiProblem
from mailraven.adminapi.services import ApiServices
from mailraven.directory import NotEnrolled, WeakPassword, totp
from mailraven.directory.credentials import Owner, end_all_sessions, lock_owner, read_owner, set_password
from mailraven.directory.recovery import renew_recovery_codes
from mailraven_api.credentials import NewPassword, OwnPassword

_OTHERS_ONLY = "This is for the accounts of others; your own credentials are under /api/v1/me."


async def change_own_password(api: ApiServices, principal: Principal, body: OwnPassword) -> None:
    """Raises ApiProblem 403 (the old one is wrong), WeakPassword, VersionMismatch."""
    old, new = body.old_password.get_secret_value(), body.new_password.get_secret_value()
    owner = await prove(api, principal, old)
    if old == new:
        raise WeakPassword("the new password is the old one")
    await _set_password(api, principal, owner, new, body.delete_app_passwords)


async def set_password_of(api: ApiServices, principal: Principal, body: NewPassword) -> None:
    """By an admin. Raises ApiProblem 403, WeakPassword, InvalidValue, VersionMismatch."""
    refuse_own(principal)
    async with api.database.acquire() as connection:
        owner = await read_owner(connection, principal.account.id)
    if body.password is not None:
        await _set_password(api, principal, owner, body.password.get_secret_value(), body.delete_app_passwords)
    elif body.password_hash is not None:
        if principal.role is not Role.SUPER_ADMIN:
            raise ApiProblem(403, "Only super-admins may set a hash in place of a password.")
        password_hash = await api.directory.accept_hash(body.password_hash.get_secret_value())
        await _store(api, principal, owner, password_hash, body.delete_app_passwords)


async def end_sessions_of(api: ApiServices, principal: Principal) -> None:
    """Raises NoSuchAccount."""
    ref = principal.account
    async with change(api, principal) as tx:
        await end_all_sessions(tx.connection, ref.id)
        await tx.audit("account.sessions.end", ref.address, domain_id=ref.domain_id)


async def reset_second_factor(api: ApiServices, principal: Principal) -> None:
    """By an admin, of who lost it. Raises ApiProblem 403, NoSuchAccount."""
    refuse_own(principal)
    ref = principal.account
    async with change(api, principal) as tx:
        if await totp.remove_second_factor(tx.connection, ref.id):
            before, after = {"totp": True}, {"totp": False}
            await tx.audit("account.totp.reset", ref.address, domain_id=ref.domain_id, before=before, after=after)


async def begin_enrolment(api: ApiServices, principal: Principal, password: str) -> totp.Enrolment:
    """Raises ApiProblem 403, AlreadyEnrolled, SealingError."""
    owner = await prove(api, principal, password)
    async with change(api, principal) as tx:
        await lock_owner(tx.connection, owner)
        begun = await totp.begin_enrolment(
            tx.connection, api.sealer, owner.account_id, owner.address, issuer=api.config.hostname
        )
        await tx.audit("account.totp.begin", owner.address, domain_id=owner.domain_id)
    return begun


async def confirm_enrolment(api: ApiServices, principal: Principal, code: str) -> tuple[str, ...]:
    """Raises WrongCode, NotEnrolled, AlreadyEnrolled, SealingError."""
    async with api.database.acquire() as connection:
        owner = await read_owner(connection, own_account(principal))
    async with change(api, principal) as tx:
        codes = await totp.confirm_enrolment(tx.connection, api.sealer, owner.account_id, code)
        before, after = {"totp": False}, {"totp": True}
        await tx.audit("account.totp.confirm", owner.address, domain_id=owner.domain_id, before=before, after=after)
    return codes


async def disable_second_factor(api: ApiServices, principal: Principal, password: str, code: str) -> None:
    """Raises ApiProblem 403, NotEnrolled."""
    owner = await prove(api, principal, password, code)
    async with change(api, principal) as tx:
        await lock_owner(tx.connection, owner)
        await totp.remove_second_factor(tx.connection, owner.account_id)
        before, after = {"totp": True}, {"totp": False}
        await tx.audit("account.totp.disable", owner.address, domain_id=owner.domain_id, before=before, after=after)


async def renew_codes(api: ApiServices, principal: Principal, password: str, code: str) -> tuple[str, ...]:
    """Raises ApiProblem 403, NotEnrolled."""
    owner = await prove(api, principal, password, code)
    async with change(api, principal) as tx:
        await lock_owner(tx.connection, owner)
        codes = await renew_recovery_codes(tx.connection, owner.account_id)
        await tx.audit("account.recovery_codes.renew", owner.address, domain_id=owner.domain_id)
    return codes


async def prove(api: ApiServices, principal: Principal, password: str, code: str | None = None) -> Owner:
    """Who asks gives his password again, and his second factor where `code` is given; counted as a login is.

    Raises ApiProblem 403 or 429, NotEnrolled (a code without a second factor), DirectoryUnavailable.
    """
    account_id = own_account(principal)
    async with api.database.acquire() as connection:
        owner = await read_owner(connection, account_id)
    if code is not None and not owner.totp:
        raise NotEnrolled("the account has no second factor")
    decision = await api.gate.login_allowed(principal.ip, owner.address, request_id=principal.request_id)
    if not decision.allowed:
        raise too_many(decision.reset_seconds, decision.text)
    try:
        right = await api.directory.is_password(account_id, password)
        if right and code is not None:
            right = await totp.second_factor(api.database, api.sealer, account_id, code)
    except BaseException:
        api.gate.login_undecided(principal.ip, owner.address)
        raise
    if not right:
        await api.gate.login_failed(principal.ip, owner.address, "http")
        raise ApiProblem(403, "The password is wrong." if code is None else "The password or the code is wrong.")
    await api.gate.login_succeeded(principal.ip, owner.address, "http")
    return owner


def own_account(principal: Principal) -> int:
    """Raises ApiProblem 403 for a service, which has no account."""
    if principal.account_id is None:
        raise ApiProblem(403, "This token acts for no account.")
    return principal.account_id


def refuse_own(principal: Principal) -> None:
    """Raises ApiProblem 403: who has got hold of a session must not get at its credentials without the password."""
    if principal.account_id == principal.account.id:
        raise ApiProblem(403, _OTHERS_ONLY)


async def _set_password(
    api: ApiServices, principal: Principal, owner: Owner, password: str, delete_app_passwords: bool
) -> None:
    password_hash = await api.directory.hash_password(
        password, address=owner.address, display_name=owner.display_name, role=owner.role
    )
    await _store(api, principal, owner, password_hash, delete_app_passwords)


async def _store(
    api: ApiServices, principal: Principal, owner: Owner, password_hash: str, delete_app_passwords: bool
) -> None:
    async with change(api, principal) as tx:
        await lock_owner(tx.connection, owner)
        await set_password(tx.connection, owner.account_id, password_hash, delete_app_passwords=delete_app_passwords)
        after = {"app_passwords_deleted": True} if delete_app_passwords else None
        await tx.audit("account.password", owner.address, domain_id=owner.domain_id, after=after)
