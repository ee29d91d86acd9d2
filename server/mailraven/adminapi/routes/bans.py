"""/api/v1/bans: who is refused at connect, on all servers."""

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from mailraven.adminapi.access import Who, allow, change
from mailraven.adminapi.paging import Page, Paging
from mailraven.adminapi.principal import Principal
from mailraven.adminapi.problems import ApiProblem, problems
from mailraven.adminapi.services import Api
from mailraven.limits import Ban, bans
from mailraven.limits.clients import Network, network_set, parse_network
from mailraven_api.ban import Ban as ShownBan
from mailraven_api.ban import BanCreate

router = APIRouter(prefix="/api/v1/bans", tags=["bans"])
_WIDEST = {4: 8, 6: 16}  # prefix lengths

Reader = Annotated[Principal, Depends(allow("limits:read", Who.SUPER))]
Writer = Annotated[Principal, Depends(allow("limits:write", Who.SUPER))]
InPath = Annotated[
    str, Path(max_length=64, description="An address, or a network; its slash may stand as it is, or as %2F.")
]


@router.get("", summary="List bans")
async def list_bans(
    api: Api,
    principal: Reader,
    paging: Paging,
    past: Annotated[bool, Query(description="Also those that are over: the memory of repeaters.")] = False,
) -> Page[ShownBan]:
    """By network."""
    after = str(_network(paging.after)) if paging.after else None
    async with api.database.acquire() as connection:
        found = await bans.list_bans(connection, after=after, past=past, limit=paging.fetch)
    return paging.page(found, lambda ban: ban.network, _shown)


@router.post(
    "",
    status_code=201,
    summary="Ban a network",
    responses={200: {"model": ShownBan, "description": "It was banned already; the ban is changed."}, **problems(409)},
)
async def create_ban(api: Api, principal: Writer, body: BanCreate, response: Response) -> ShownBan:
    """All servers refuse it within two seconds, and end its connections. 409: it is exempt, or it is your own."""
    network = _network(body.network)
    if network.prefixlen < _WIDEST[network.version]:
        raise ApiProblem(
            422, f"A ban is of at most a /{_WIDEST[network.version]}: {network} is a part of the internet."
        )
    _check_exempt(api, principal, network)
    until = None if body.minutes is None else dt.datetime.now(dt.UTC) + dt.timedelta(minutes=body.minutes)
    async with change(api, principal) as tx:
        before = await bans.get_ban(tx.connection, network)
        ban = await bans.set_ban(tx.connection, network, body.reason, principal.actor, until)
        action = "ban.create" if before is None else "ban.update"
        await tx.audit(action, ban.network, before=None if before is None else _audited(before), after=_audited(ban))
    await api.gate.bans.refresh(surely=True)
    if before is not None and _holds(before):
        response.status_code = 200
    return _shown(ban)


@router.delete("", status_code=204, summary="Lift a ban, by parameter", responses=problems(404))
async def delete_ban_by_parameter(
    api: Api,
    principal: Writer,
    network: Annotated[str, Query(max_length=64, description="An address, or a network in CIDR notation.")],
) -> None:
    """Its offences are forgotten."""
    await _lift(api, principal, network)


@router.get("/{network:path}", summary="Show a ban", responses=problems(404))
async def get_ban(api: Api, principal: Reader, network: InPath) -> ShownBan:
    """Of exactly this network."""
    wanted = _network(network)
    async with api.database.acquire() as connection:
        found = await bans.get_ban(connection, wanted)
    if found is None:
        raise _no_ban(wanted)
    return _shown(found)


@router.delete("/{network:path}", status_code=204, summary="Lift a ban", responses=problems(404))
async def delete_ban(api: Api, principal: Writer, network: InPath) -> None:
    """Its offences are forgotten."""
    await _lift(api, principal, network)


async def _lift(api: Api, principal: Principal, text: str) -> None:
    network = _network(text)
    async with change(api, principal) as tx:
        before = await bans.get_ban(tx.connection, network)
        if before is None or not await bans.lift_ban(tx.connection, network):
            raise _no_ban(network)
        await tx.audit("ban.delete", before.network, before=_audited(before))
    await api.gate.bans.refresh(surely=True)


def _network(text: str) -> Network:
    try:
        return parse_network(text)
    except ValueError:
        raise ApiProblem(422, "Expected an address or a network such as 192.0.2.0/24 or 2001:db8::/32.") from None


def _check_exempt(api: Api, principal: Principal, network: Network) -> None:
    exempt = api.gate.exemptions.network_over(network)
    if exempt is not None:
        raise ApiProblem(409, f"{network} is part of {exempt}, which is exempt from bans.")
    if principal.ip in network_set([str(network)]) and not api.gate.exempt(principal.ip):
        raise ApiProblem(409, f"{network} has your own address, {principal.ip}: you would lock yourself out.")


def _no_ban(network: Network) -> ApiProblem:
    return ApiProblem(404, f"{network} is not banned.")


def _holds(ban: Ban) -> bool:
    return ban.until is None or ban.until > dt.datetime.now(dt.UTC)


def _shown(ban: Ban) -> ShownBan:
    return ShownBan(
        network=ban.network,
        reason=ban.reason,
        created_by=ban.created_by,
        offences=ban.offences,
        created_at=ban.created_at,
        until=ban.until,
        active=_holds(ban),
    )


def _audited(ban: Ban) -> dict[str, object]:
    return {"reason": ban.reason, "until": ban.until.isoformat() if ban.until else None}
