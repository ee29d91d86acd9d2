"""Where a message of the API goes: the same questions that a submission session asks, all recipients at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mailraven.directory import Address, AddressError, Directory, Resolution, Targets, parse_address
from mailraven.directory.recipients import delivered_names, destination_of, room_of
from mailraven.mailstore import LocalTarget, RemoteRecipient
from mailraven.policy.chain import SUBMISSION_RCPT, decide
from mailraven.policy.facts import RcptFacts
from mailraven.policy.verdict import Accept
from mailraven.smtp.received import delivered_to, return_path
from mailraven_api.message import RefusedRecipient


@dataclass(slots=True)
class Routes:
    """Each mailbox and each foreign address once; `refused` is not empty: nothing may be sent."""

    local: dict[int, LocalTarget] = field(default_factory=dict)
    remote: dict[str, RemoteRecipient] = field(default_factory=dict)
    refused: list[RefusedRecipient] = field(default_factory=list)


async def route(
    directory: Directory, sender: str, recipients: Sequence[Address], *, size: int, max_recipients: int
) -> Routes:
    """Raises DirectoryUnavailable."""
    routes = Routes()
    for number, recipient in enumerate(recipients):
        given = str(recipient)
        found = await directory.resolve_from(sender, given)
        verdict = decide(SUBMISSION_RCPT, _facts(recipient, found, size, number, max_recipients))
        if isinstance(verdict, Accept):
            try:
                _add(routes, sender, recipient, found)
            except AddressError as error:
                routes.refused.append(RefusedRecipient(recipient=given, status="5.1.3", detail=str(error)))
        else:
            reply = verdict.reply
            routes.refused.append(RefusedRecipient(recipient=given, status=reply.enhanced, detail=reply.text))
    return routes


def _facts(recipient: Address, found: Resolution, size: int, number: int, max_recipients: int) -> RcptFacts:
    return RcptFacts(
        destination=destination_of(found),
        literal=recipient.domain.startswith("["),
        postmaster=recipient.key == "postmaster",
        room=room_of(found),
        size=size,
        recipients=number,
        max_recipients=max_recipients,
    )


def _add(routes: Routes, sender: str, recipient: Address, found: Resolution) -> None:
    given = str(recipient)
    if not isinstance(found, Targets):
        routes.remote.setdefault(given, RemoteRecipient(given, recipient.domain))
        return
    remotes = [(address, parse_address(address).domain) for address in found.remote]
    for account, shown in delivered_names(found, given):
        prefix = return_path(sender) + delivered_to(shown)
        routes.local.setdefault(account, LocalTarget(account, shown, prefix))
    for address, domain in remotes:
        routes.remote.setdefault(address, RemoteRecipient(address, domain))
