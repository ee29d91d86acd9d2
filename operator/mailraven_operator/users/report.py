"""Status and conditions of a MailUser. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mailraven_api.kubernetes import MailUser
from mailraven_operator.domains.usage import settled_octets
from mailraven_operator.outcome import READY, Event, Outcome, Problem
from mailraven_operator.server import ServerRefused
from mailraven_operator.users.issue import Issue, condition, refused

_NOT_MANAGED = "spec names no Secret: the password is not managed here"


@dataclass(frozen=True)
class Findings:
    """What one look at a user came to."""

    account: Mapping[str, Any]
    managed: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    secret_name: str | None = None
    password_version: str | None = None
    synced: tuple[Issue, ...] = ()
    credentials: tuple[Issue, ...] = ()
    events: tuple[Event, ...] = ()
    repaired: tuple[str, ...] = ()

    @property
    def issues(self) -> tuple[Issue, ...]:
        """All that stands in the way."""
        return (*self.synced, *self.credentials)


def outcome_of(user: MailUser, found: Findings) -> Outcome:
    """Raises Problem, with all that is known, where something stands in the way."""
    status = status_of(user, found)
    conditions = (
        condition("CredentialsReady", found.credentials, message="" if found.secret_name else _NOT_MANAGED),
        condition("Synced", found.synced),
    )
    if found.issues:
        raise Problem(
            found.issues[0].reason,
            "; ".join(issue.message for issue in found.issues[:5]),
            retry=any(issue.retry for issue in found.issues),
            conditions=conditions,
            status=status,
        )
    return Outcome(status, conditions, events=found.events, repaired=found.repaired)


def status_of(user: MailUser, found: Findings) -> dict[str, Any]:
    """The number of messages changes with the octets only: both together are written less often than mail comes."""
    before, account = user.status, found.account
    used = settled_octets(before.used_bytes, account["used_bytes"])
    as_before = before.messages is not None and used == before.used_bytes
    return {
        "address": account["address"],
        "quotaBytes": account["quota_bytes"],
        "usedBytes": used,
        "messages": before.messages if as_before else account.get("messages"),
        "secretName": found.secret_name,
        "passwordVersion": found.password_version,
        "aliases": list(found.aliases) or None,
        "managedSettings": list(found.managed) or None,
    }


def not_synced(problem: Problem) -> Problem:
    """The same, said of Synced too."""
    issue = Issue(problem.reason, problem.message, problem.retry)
    return Problem(problem.reason, problem.message, retry=problem.retry, conditions=(condition("Synced", (issue,)),))


def refusal(error: ServerRefused, domain: str) -> Problem:
    """What the server said to the account itself."""
    if error.status == 404:
        return Problem("DomainNotFound", f"the server does not have {domain} yet")
    issue = refused(error)
    return Problem(issue.reason, issue.message, retry=issue.retry)


def was_ready(user: MailUser) -> bool:
    """At the last look, with the spec that it has now: what differs since was changed by others."""
    return any(
        one.type == READY and one.status == "True" and one.observed_generation == user.metadata.generation
        for one in user.status.conditions
    )
