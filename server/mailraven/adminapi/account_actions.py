"""What is done to accounts through the API, whatever the path looks like: in one transaction with its audit entry."""

from __future__ import annotations

from typing import Any

from mailraven.adminapi.access import HIGHER_ROLE, change, find_account
from mailraven.adminapi.principal import AccountRef, Principal
from mailraven.adminapi.problems import ApiProblem
from mailraven.adminapi.services import ApiServices
from mailraven.db import Connection
from mailraven.directory import (
    Address,
    NoSuchDomain,
    NotEmpty,
    account_settings,
    accounts,
    domain_specs,
    parse_address,
)
from mailraven.directory.account_listing import show_account
from mailraven.directory.locks import check_version
from mailraven.directory.roles import Role
from mailraven_api.account import Account, AccountCreate, AccountPatch, AccountPut

_OWN = frozenset({"display_name", "forwarding", "vacation"})
# Limits are granted by the operator of the server, and labels choose policies.
_GRANTED = frozenset({"limits", "labels"})
_ROUNDS = 5  # mail that was on its way when the account was closed


async def create_account(api: ApiServices, principal: Principal, body: AccountCreate) -> Account:
    """Raises what accounts.create_account raises; NoSuchDomain also where it is not his."""
    address = parse_address(body.address).canonical
    accounts.check_address(address)
    _check_granted(principal, body)
    await _check_domain(api, principal, address)
    password_hash = await _hash(api, body, address, body.display_name, Role.USER)
    async with change(api, principal) as tx:
        written = await account_settings.make_account(tx.connection, str(address), body, password_hash)
        return await _finish(tx, "account.create", written)


async def put_account(
    api: ApiServices, principal: Principal, address: str, body: AccountPut, expected: int | None
) -> tuple[Account, bool]:
    """Made or replaced; whether it is new. Raises as account_settings.put_account."""
    parsed = parse_address(address).canonical
    accounts.check_address(parsed)
    _check_granted(principal, body)
    await _check_domain(api, principal, parsed)
    async with api.database.acquire() as connection:
        known = await account_settings.find_account(connection, parsed)
    _check_own_password(principal, body, None if known is None else known.id)
    role = Role.USER if known is None else Role(known.role)
    password_hash = await _hash(api, body, parsed, body.display_name, role)
    async with change(api, principal) as tx:
        keep = () if principal.role is Role.SUPER_ADMIN else _GRANTED
        written = await account_settings.put_account(
            tx.connection, str(parsed), body, password_hash, expected=expected, keep=keep
        )
        # Asked inside the transaction: the role may have risen since.
        if principal.outranked_by(await find_account(tx.connection, principal, str(parsed))):
            raise ApiProblem(403, HIGHER_ROLE)
        action = "account.create" if written.before is None else "account.update"
        return await _finish(tx, action, written), written.before is None


async def patch_account(api: ApiServices, principal: Principal, body: AccountPatch, expected: int | None) -> Account:
    """The account of the path; its owner may change what is his. Raises as account_settings.patch_account."""
    ref = principal.account
    if not principal.may_admin(ref.domain_id) and not body.model_fields_set <= _OWN:
        raise ApiProblem(403, f"Of your own account you may change {', '.join(sorted(_OWN))} here; ask an admin.")
    _check_granted(principal, body)
    _check_own_password(principal, body, ref.id)
    password_hash = None
    if body.password is not None or body.password_hash is not None:
        async with api.database.acquire() as connection:
            known = await account_settings.read_account(connection, ref.address)
        name = body.display_name or known.display_name
        password_hash = await _hash(api, body, known.address, name, Role(known.role))
    async with change(api, principal) as tx:
        written = await account_settings.patch_account(
            tx.connection, ref.address, body, password_hash, expected=expected
        )
        return await _finish(tx, "account.update", written)


async def delete_account(api: ApiServices, principal: Principal, *, delete_mail: bool, expected: int | None) -> None:
    """Raises NotEmpty when it holds mail that is not to be deleted, VersionMismatch, NoSuchAccount.

    With its mail: it is closed first, so that none arrives any more, then emptied step by step. If that is cut short,
    the account stays closed, and the same request again goes on.
    """
    ref = principal.account
    if delete_mail:
        await _close(api, principal, ref, expected)
        expected = None
    for left in range(_ROUNDS, 0, -1):
        if delete_mail:
            await api.mailstore.empty(ref.id)
        try:
            async with change(api, principal) as tx:
                gone = await account_settings.read_account(tx.connection, ref.address, lock=True)
                check_version(expected, gone.version, f"account {ref.address}")
                await accounts.delete_account(tx.connection, ref.address)
                await tx.audit("account.delete", ref.address, domain_id=ref.domain_id, before=gone.settings)
                return
        except NotEmpty:
            if not delete_mail or left == 1:
                raise


async def _close(api: ApiServices, principal: Principal, ref: AccountRef, expected: int | None) -> None:
    closed = AccountPatch(suspended=True)
    async with change(api, principal) as tx:
        written = await account_settings.patch_account(tx.connection, ref.address, closed, expected=expected)
        if written.before is not None and written.before.version != written.account.version:
            target, domain_id = ref.address, ref.domain_id
            await tx.audit(
                "account.close", target, domain_id=domain_id, before={"suspended": False}, after={"suspended": True}
            )


def _check_granted(principal: Principal, body: AccountPut | AccountPatch) -> None:
    if principal.role is not Role.SUPER_ADMIN and (granted := body.model_fields_set & _GRANTED):
        raise ApiProblem(403, f"Only a super-admin sets {', '.join(sorted(granted))} of an account.")
    if principal.role is not Role.SUPER_ADMIN and body.password_hash is not None:
        raise ApiProblem(403, "Only a super-admin sets a password by its hash: nobody can see how strong it is.")


def _check_own_password(principal: Principal, body: AccountPut | AccountPatch, account: int | None) -> None:
    """Who found a session open must not be able to lock its owner out."""
    own = principal.account_id is not None and principal.account_id == account
    if own and (body.password is not None or body.password_hash is not None):
        raise ApiProblem(403, "Your own password is changed at /api/v1/me/password, with the old one.")


async def _check_domain(api: ApiServices, principal: Principal, address: Address) -> None:
    """Raises NoSuchDomain where there is none, or none of his."""
    async with api.database.acquire() as connection:
        domain_id = await _domain_id(connection, address)
    if domain_id is None or not principal.may_admin(domain_id):
        raise NoSuchDomain(f"no domain {address.domain}")


async def _domain_id(connection: Connection, address: Address) -> int | None:
    found = await domain_specs.find_domain(connection, address.domain)
    return None if found is None else found.id


async def _hash(
    api: ApiServices, body: AccountPut | AccountPatch, address: Address, display_name: str, role: Role
) -> str | None:
    if body.password_hash is not None:
        return await api.directory.accept_hash(body.password_hash.get_secret_value())
    if body.password is None:
        return None
    password = body.password.get_secret_value()
    return await api.directory.hash_password(password, address=str(address), display_name=display_name, role=role)


async def _finish(tx: Any, action: str, written: account_settings.Written) -> Account:
    account, before = written.account, written.before
    if before is None or before.version != account.version:
        was = None if before is None else before.settings
        # That a password was set, never which.
        after = account.settings | ({"password": "changed"} if written.password_changed else {})
        await tx.audit(action, str(account.address), domain_id=account.domain_id, before=was, after=after)
    return await show_account(tx.connection, account.id)
