"""What `reclaimPolicy: Delete` does to the domain on the server.

It deletes the domain with its aliases and keys, but no account: accounts and their mail go with their own MailUsers, as
the reclaimPolicy of each says. So it waits for the domain's MailUsers; when none is left and the server still has
accounts, somebody wanted to keep them, and the domain is kept for their sake (with an Event).
"""

from collections.abc import Mapping
from typing import Any

from mailraven_api.kubernetes import MailDomain
from mailraven_operator.context import Context
from mailraven_operator.domains.ownership import NAMESPACE_LABEL
from mailraven_operator.outcome import Event, Problem
from mailraven_operator.resource_writer import ResourceWriter
from mailraven_operator.resources import ours
from mailraven_operator.server import ServerRefused, path
from mailraven_operator.world import Key

_SHOWN = 5


async def delete_domain(context: Context, resource: MailDomain) -> None:
    """Raises Problem while MailUsers are in the way."""
    where = path("domains", resource.domain)
    found = await context.server.read(where)
    owner = context.world.domain_owner_key(resource.domain)
    if found is None or not is_own(resource, found[0], owner):
        return
    users = sorted(context.world.users_of_domain(resource.domain))
    if users:
        raise Problem("DomainNotEmpty", f"waiting until these MailUsers are deleted: {_listed(users)}")
    try:
        await context.server.delete(where)
    except ServerRefused as error:
        if error.status != 409:
            raise
        text = f"{resource.domain} stays on the server: it has accounts that no MailUser wanted deleted"
        await _tell(context, resource, Event("DomainKept", text, warning=True))


def is_own(resource: MailDomain, found: Mapping[str, Any], owner: Key | None) -> bool:
    """Whether the domain on the server is this resource's to delete: it made or adopted it, and no other has it."""
    labels = found["spec"].get("labels") or {}
    return owner in (None, resource.metadata.key) and labels.get(NAMESPACE_LABEL) == resource.metadata.namespace


def _listed(users: list[Key]) -> str:
    more = f" and {len(users) - _SHOWN} more" if len(users) > _SHOWN else ""
    return ", ".join(f"{namespace}/{name}" for namespace, name in users[:_SHOWN]) + more


async def _tell(context: Context, resource: MailDomain, event: Event) -> None:
    writer = ResourceWriter(context.kube, context.world, ours(MailDomain.KIND, "maildomains"))
    await writer.event(resource.metadata.key, resource.metadata.uid, event, context.clock())
