"""Conditions of a MailDomain: what is stored, what sums them up, what a problem leaves of them. Pure."""

from collections.abc import Iterable

from mailraven_api.kubernetes import MailDomain
from mailraven_operator.outcome import READY, ConditionValue, Problem

SYNCED = "Synced"
_STATUS = {"True": True, "False": False}


def stored_conditions(resource: MailDomain) -> tuple[ConditionValue, ...]:
    """Those of the last look."""
    return tuple(
        ConditionValue(condition.type, _STATUS.get(condition.status), condition.reason, condition.message)
        for condition in resource.status.conditions
    )


def was_synced(resource: MailDomain) -> bool:
    """Whether the last look left the server with this very spec: what differs now was changed there."""
    return any(
        condition.type == SYNCED
        and condition.status == "True"
        and condition.observed_generation == resource.metadata.generation
        for condition in resource.status.conditions
    )


def summed_up(conditions: Iterable[ConditionValue]) -> ConditionValue:
    """Ready: the first of those that is not True."""
    for condition in conditions:
        if condition.status is not True:
            return ConditionValue(READY, False, condition.reason, condition.message)
    return ConditionValue(READY, True, "Reconciled", "The domain is in service.")


def not_synced(resource: MailDomain, reason: str, message: str) -> Problem:
    """The server was left as it is. Looked at again when something changes, and at each resync."""
    others = [condition for condition in stored_conditions(resource) if condition.type not in (SYNCED, READY)]
    status = None if resource.status.domain else {"domain": resource.domain}
    synced = ConditionValue(SYNCED, False, reason, message)
    return Problem(reason, message, retry=False, conditions=(synced, *others), status=status)
