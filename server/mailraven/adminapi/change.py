"""A change through the API: one transaction with its entry in the audit log, then the directory forgets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from mailraven import audit
from mailraven.adminapi.principal import Principal
from mailraven.adminapi.services import ApiServices
from mailraven.db import Connection


@dataclass(frozen=True, slots=True)
class Change:
    """A transaction of a principal."""

    connection: Connection
    principal: Principal

    async def audit(
        self,
        action: str,
        target: str,
        domain_id: int | None = None,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
    ) -> None:
        """What is done, in the same transaction. `before` and `after` are JSON objects without secrets."""
        by = self.principal
        entry = audit.Entry(
            by.actor, by.ip, by.request_id, action, target, domain_id=domain_id, before=before, after=after
        )
        await audit.write(self.connection, entry)


@asynccontextmanager
async def change(api: ApiServices, principal: Principal) -> AsyncIterator[Change]:
    """Raises what the body raises, and DatabaseUnavailable; then nothing was changed."""
    try:
        async with api.database.transaction() as connection:
            yield Change(connection, principal)
    finally:
        # Also after a failure: the commit may have been done when its answer was lost.
        api.directory.invalidate()
