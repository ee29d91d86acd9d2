"""GET /api/v1/audit: who did what."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from mailraven import audit
from mailraven.adminapi.access import Principal, Who, allow, find_domain
from mailraven.adminapi.moments import Moment
from mailraven.adminapi.paging import Page, Paging
from mailraven.adminapi.problems import problems
from mailraven.adminapi.services import Api
from mailraven_api.audit import AuditEntry, Outcome

router = APIRouter(prefix="/api/v1/audit", tags=["audit"])
Text = Annotated[str | None, Query(max_length=1000)]


@router.get("", summary="List the audit log", responses=problems(404))
async def list_audit(
    api: Api,
    principal: Annotated[Principal, Depends(allow("audit:read", Who.ADMINS))],
    paging: Paging,
    actor: Annotated[Text, Query(description="Only what this one did: an address, or `token NAME`.")] = None,
    action: Annotated[Text, Query(description="Only this action, or all of a kind: `domain`.")] = None,
    target: Annotated[Text, Query(description="Only what was done to this.")] = None,
    domain: Annotated[Text, Query(description="Only what the admins of this domain see.")] = None,
    outcome: Annotated[Outcome | None, Query(description="Only what ended so.")] = None,
    since: Annotated[Moment | None, Query(description="Not before.")] = None,
    until: Annotated[Moment | None, Query(description="Before.")] = None,
) -> Page[AuditEntry]:
    """The newest first; a domain-admin sees what concerns his domains. Entries are kept for 400 days."""
    before_id = paging.after_id
    async with api.database.acquire() as connection:
        domain_ids = principal.administered()
        if domain is not None:
            domain_ids = frozenset({(await find_domain(connection, principal, domain)).id})
        wanted = audit.Filter(domain_ids, actor, action, target, outcome, since, until)
        found = await audit.list_entries(connection, wanted, before_id=before_id, limit=paging.fetch)
    return paging.page(found, lambda entry: entry.id, _shown)


def _shown(entry: audit.Recorded) -> AuditEntry:
    values = asdict(entry)
    del values["domain_id"]
    return AuditEntry.model_validate(values)
