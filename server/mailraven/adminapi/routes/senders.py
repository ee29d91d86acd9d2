"""Senders that an account or a domain always lets in or never: /api/v1/accounts/{address}/senders and
/api/v1/domains/{domain}/senders.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from fastapi import Path as InPath

from mailraven.adminapi.access import Who, allow, change
from mailraven.adminapi.paging import Page, Paging
from mailraven.adminapi.path_names import AccountAddress, DomainName
from mailraven.adminapi.principal import Principal
from mailraven.adminapi.problems import problems
from mailraven.adminapi.services import Api, ApiServices
from mailraven.directory import parse_address, sender_rules
from mailraven.directory.locks import lock_account
from mailraven_api.alias import SenderRule, SenderRuleSpec

router = APIRouter(tags=["senders"])

_ACCOUNT = "/api/v1/accounts/{address}/senders"
_DOMAIN = "/api/v1/domains/{domain}/senders"
AccountReader = Annotated[Principal, Depends(allow("accounts:read", Who.ACCOUNT))]
AccountWriter = Annotated[Principal, Depends(allow("accounts:write", Who.ACCOUNT))]
DomainReader = Annotated[Principal, Depends(allow("domains:read", Who.DOMAIN))]
DomainWriter = Annotated[Principal, Depends(allow("domains:write", Who.DOMAIN))]
Sender = Annotated[
    str, InPath(max_length=320, description="An envelope sender, or a domain, which stands for all below it.")
]
_NEW: dict[int | str, dict[str, Any]] = {
    201: {"model": SenderRule, "description": "There was no rule about this sender."}
}


@router.get(_ACCOUNT, summary="List the rules of an account about senders", responses=problems(404))
async def list_account_senders(
    api: Api, principal: AccountReader, address: AccountAddress, paging: Paging
) -> Page[SenderRule]:
    """By sender."""
    return await _list(api, _of_account(principal), paging)


@router.put(
    _ACCOUNT + "/{sender}", summary="Allow or block a sender for an account", responses={**_NEW, **problems(404)}
)
async def put_account_sender(
    api: Api,
    principal: AccountWriter,
    address: AccountAddress,
    sender: Sender,
    body: SenderRuleSpec,
    response: Response,
) -> SenderRule:
    """At once: a blocked sender hears 550 5.7.1 at RCPT. The rules of an account come before those of its domain."""
    return await _put(api, principal, _of_account(principal), sender, body, response)


@router.delete(
    _ACCOUNT + "/{sender}",
    status_code=204,
    summary="Remove the rule of an account about a sender",
    responses=problems(404),
)
async def delete_account_sender(api: Api, principal: AccountWriter, address: AccountAddress, sender: Sender) -> None:
    """404: there is none."""
    await _delete(api, principal, _of_account(principal), sender)


@router.get(_DOMAIN, summary="List the rules of a domain about senders", responses=problems(404))
async def list_domain_senders(
    api: Api, principal: DomainReader, domain: DomainName, paging: Paging
) -> Page[SenderRule]:
    """By sender. They hold for all its accounts, but not for its postmaster address."""
    return await _list(api, _of_domain(principal), paging)


@router.put(_DOMAIN + "/{sender}", summary="Allow or block a sender for a domain", responses={**_NEW, **problems(404)})
async def put_domain_sender(
    api: Api, principal: DomainWriter, domain: DomainName, sender: Sender, body: SenderRuleSpec, response: Response
) -> SenderRule:
    """Where an account has no rule about the sender itself."""
    return await _put(api, principal, _of_domain(principal), sender, body, response)


@router.delete(
    _DOMAIN + "/{sender}",
    status_code=204,
    summary="Remove the rule of a domain about a sender",
    responses=problems(404),
)
async def delete_domain_sender(api: Api, principal: DomainWriter, domain: DomainName, sender: Sender) -> None:
    """404: there is none."""
    await _delete(api, principal, _of_domain(principal), sender)


def _of_account(principal: Principal) -> tuple[int, int]:
    return principal.account.domain_id, principal.account.id


def _of_domain(principal: Principal) -> tuple[int, int]:
    return principal.domain.id, sender_rules.WHOLE_DOMAIN


async def _list(api: ApiServices, whose: tuple[int, int], paging: Paging) -> Page[SenderRule]:
    async with api.database.acquire() as connection:
        found = await sender_rules.list_rules(connection, *whose, after=paging.after, limit=paging.fetch)
    return paging.page(found, lambda rule: rule.sender, _shown)


async def _put(
    api: ApiServices,
    principal: Principal,
    whose: tuple[int, int],
    sender: str,
    body: SenderRuleSpec,
    response: Response,
) -> SenderRule:
    async with change(api, principal) as tx:
        if principal.the_account is not None:  # no rule is left behind by an account that goes meanwhile
            await lock_account(tx.connection, parse_address(principal.account.address))
        rule, before = await sender_rules.put_rule(tx.connection, *whose, sender, body.action)
        if before is None or before.action != rule.action:
            was = None if before is None else {"sender": before.sender, "action": before.action}
            now = {"sender": rule.sender, "action": rule.action}
            await tx.audit("sender.set", _target(principal), domain_id=whose[0], before=was, after=now)
    if before is None:
        response.status_code = 201
    return _shown(rule)


async def _delete(api: ApiServices, principal: Principal, whose: tuple[int, int], sender: str) -> None:
    async with change(api, principal) as tx:
        gone = await sender_rules.delete_rule(tx.connection, *whose, sender)
        was = {"sender": gone.sender, "action": gone.action}
        await tx.audit("sender.remove", _target(principal), domain_id=whose[0], before=was)


def _target(principal: Principal) -> str:
    return principal.account.address if principal.the_account is not None else principal.domain.name


def _shown(rule: sender_rules.SenderRule) -> SenderRule:
    return SenderRule(sender=rule.sender, action=rule.action, created_at=rule.created_at)
