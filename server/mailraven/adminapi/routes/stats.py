"""/api/v1/stats: how much there is, what waits, what happened in the last hours."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from mailraven.adminapi.access import Who, allow
from mailraven.adminapi.principal import Principal
from mailraven.adminapi.services import Api
from mailraven.trace import statistics
from mailraven_api.stats import Stats, StatsSeries

router = APIRouter(prefix="/api/v1/stats", tags=["stats"])
Reader = Annotated[Principal, Depends(allow("stats:read", Who.ADMINS))]


@router.get("", summary="Show the figures")
async def get_stats(api: Api, principal: Reader) -> Stats:
    """Of the whole server for a super-admin, of his domains for a domain-admin; up to 15 seconds old."""
    domains = principal.administered()

    async def count() -> Stats:
        async with api.database.transaction() as connection:
            return await statistics.current(connection, domains)

    found: Stats = await api.stats.get(domains, count)
    return found


@router.get("/timeseries", summary="Show the traffic by hour")
async def get_timeseries(
    api: Api,
    principal: Reader,
    hours: Annotated[int, Query(ge=1, le=720, description="How many, up to the present one.")] = 24,
) -> StatsSeries:
    """The oldest hour first, those without traffic too; up to 15 seconds old."""
    domains = principal.administered()

    async def count() -> StatsSeries:
        async with api.database.transaction() as connection:
            return await statistics.by_hour(connection, hours, domains)

    found: StatsSeries = await api.stats.get((hours, domains), count)
    return found
