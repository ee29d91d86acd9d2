"""/api/v1/backups: starting a backup to the target of the settings, and the book of runs."""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi import Path as InPath

from mailraven.adminapi import backup_jobs
from mailraven.adminapi.access import Who, allow, change
from mailraven.adminapi.paging import Page, Paging
from mailraven.adminapi.principal import Principal
from mailraven.adminapi.problems import ApiProblem, problems
from mailraven.adminapi.services import Api
from mailraven.backup import runs
from mailraven_api.backup import BackupRun

router = APIRouter(prefix="/api/v1/backups", tags=["backups"])

Reader = Annotated[Principal, Depends(allow("settings:read", Who.SUPER))]
Admin = Annotated[Principal, Depends(allow("settings:write", Who.SUPER))]


@router.get("", summary="List runs of backups")
async def list_backup_runs(api: Api, principal: Reader, paging: Paging) -> Page[BackupRun]:
    """Newest first."""
    before = int(paging.after) if paging.after.isascii() and paging.after.isdigit() and len(paging.after) < 19 else None
    async with api.database.acquire() as connection:
        found = await runs.list_runs(connection, before=before, limit=paging.fetch)
    return paging.page(found, lambda run: str(run.id), lambda run: run)


@router.post("", status_code=202, summary="Start a backup", responses=problems(409))
async def start_backup(api: Api, principal: Admin) -> BackupRun:
    """To `backup.target` of the configuration, and nowhere else: a request does not choose where the server writes.

    202: it has begun; ask for the run to see how far it is. 409: there is no target, or a backup runs.
    """
    target = api.config.backup.target
    if not target:
        raise ApiProblem(409, "The server has no target for backups: set backup.target in its configuration.")
    async with change(api, principal) as tx:
        await tx.connection.execute("LOCK TABLE backup_run IN SHARE ROW EXCLUSIVE MODE")
        if (other := await runs.running(tx.connection)) is not None:
            raise ApiProblem(409, f"Backup run {other} is at work.")
        run_id = await runs.begin(tx.connection, principal.actor, target)
        await tx.audit("backup.start", str(run_id), after={"target": target})
        started = await runs.get_run(tx.connection, run_id)
    backup_jobs.start(api.config, principal.actor, run_id)
    assert started is not None  # noqa: S101 - made above
    return started


@router.get("/{id}", summary="Show a run", responses=problems(404))
async def get_backup_run(
    api: Api, principal: Reader, id: Annotated[int, InPath(ge=1, lt=2**63, description="Of the run.")]
) -> BackupRun:
    """How far it is, or how it ended."""
    async with api.database.acquire() as connection:
        found = await runs.get_run(connection, id)
    if found is None:
        raise ApiProblem(404, f"There is no backup run {id}.")
    return found
