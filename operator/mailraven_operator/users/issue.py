"""What stands in the way of one part of a user, while the other parts are taken care of. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from mailraven_operator.outcome import ConditionValue
from mailraven_operator.server import ServerRefused

# Names of the API, in the pointers and texts of its answers -> those of spec.
_FIELDS = {
    "quota_bytes": "quota",
    "display_name": "displayName",
    "disabled": "disabledProtocols",
    "forwarding": "forwarding",
    "vacation": "vacation",
    "limits": "limits",
    "suspended": "suspended",
    "auth_failures": "authFailures",
    "keep_copy": "keepCopy",
    "starts_at": "startsAt",
    "ends_at": "endsAt",
}


@dataclass(frozen=True)
class Issue:
    """A reason in one word, a text, and whether trying again may help before anything changes."""

    reason: str
    message: str
    retry: bool = True


def refused(error: ServerRefused, what: str = "", secret: str = "") -> Issue:
    """The server's own words, below the field of spec that they are about. Never with `secret` in them."""
    where = what or spec_field(error.field)
    text = error.detail or error.title
    if secret and secret in text:
        text = error.title
    # 409 is about what others do too (all accounts that a domain may have are made); 422 about what is asked for.
    return Issue("ServerRefused", f"{where}: {text}" if where else text, error.status != 422)


def spec_field(pointer: str) -> str:
    """/limits/messages -> spec.limits.messages. Empty for what is not spec's, as labels are not."""
    parts = [part for part in pointer.split("/") if part]
    if not parts or parts[0] not in _FIELDS:
        return ""
    path = "spec"
    for part in parts:
        path += f"[{part}]" if part.isdecimal() else f".{_FIELDS.get(part, part)}"
    return path


def condition(kind: str, issues: Sequence[Issue], reason: str = "Reconciled", message: str = "") -> ConditionValue:
    """True with `reason` where there are no issues."""
    if not issues:
        return ConditionValue(kind, True, reason, message)
    return ConditionValue(kind, False, issues[0].reason, "; ".join(issue.message for issue in issues[:5]))
