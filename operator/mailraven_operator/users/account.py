"""The account of a MailUser on the server: its settings and its role."""

from dataclasses import dataclass
from typing import Any

from mailraven_api.kubernetes import MailUser, address_key
from mailraven_operator.context import Context
from mailraven_operator.outcome import Problem
from mailraven_operator.server import ServerRefused, path
from mailraven_operator.users.account_plan import plan_account
from mailraven_operator.users.listings import Listings

_PRECONDITION_FAILED = 412


@dataclass(frozen=True)
class KeptAccount:
    """`account` as the server has it now; `managed` is for status.managedSettings."""

    account: dict[str, Any]
    managed: tuple[str, ...]
    written: tuple[str, ...] = ()
    """Fields of spec that the server had otherwise."""


async def keep_account(
    context: Context, user: MailUser, account: dict[str, Any] | None, default_quota: int | None
) -> KeptAccount:
    """Makes it, or writes what differs. Raises ServerRefused, Problem."""
    plan = plan_account(user, account, default_quota)
    if plan.body is None and account is not None:
        return KeptAccount(account, plan.managed)
    address = address_key(user.spec.address)
    etag = None if account is None else f'"{account["version"]}"'
    try:
        written = await context.server.put(path("accounts", address), plan.body, etag=etag)
    except ServerRefused as error:
        if error.status == _PRECONDITION_FAILED:
            raise Problem("ServerRefused", "the account was changed by somebody else at this moment") from None
        raise
    return KeptAccount(written, plan.managed, plan.differing)


async def keep_role(context: Context, listings: Listings, role: str, account: dict[str, Any]) -> bool:
    """Gives or takes rights: a domain-admin administers his own domain. Whether anything had to change. Raises
    ServerRefused."""
    address = account["address"]
    if account["role"] == role and not (
        role == "domain-admin" and await listings.admin_domains(address) != (account["domain"],)
    ):
        return False
    listings.outdate_account(address)
    if role == "user":
        await context.server.delete(path("admins", address))
    else:
        await context.server.put(path("admins", address), {"role": role, "domains": []})
    return True
