"""The status of a resource, as pure functions: what to write for an outcome, and whether that is anything new."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from mailraven_operator.outcome import READY, ConditionValue, Event

PAUSED = "ReconciliationPaused"
_LONGEST_MESSAGE = 2000  # octets would do for 32768; what is longer is read by nobody
_WORDS = {True: "True", False: "False", None: "Unknown"}


def written_conditions(
    before: Iterable[Mapping[str, Any]], values: Iterable[ConditionValue], generation: int, now: datetime
) -> list[dict[str, Any]]:
    """Conditions as they are stored, Ready last. lastTransitionTime stays as long as the status does."""
    last = {str(condition.get("type")): condition for condition in before}
    chosen = {value.type: value for value in values}
    ready = chosen.pop(READY, None)
    ordered = [*chosen.values(), *([ready] if ready is not None else ())]
    return [_written(value, last.get(value.type, {}), generation, now) for value in ordered]


def _written(value: ConditionValue, last: Mapping[str, Any], generation: int, now: datetime) -> dict[str, Any]:
    status = _WORDS[value.status]
    since = last.get("lastTransitionTime") if last.get("status") == status else None
    return {
        "type": value.type,
        "status": status,
        "reason": value.reason,
        "message": one_line(value.message),
        "observedGeneration": generation,
        "lastTransitionTime": since or now.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def one_line(text: str) -> str:
    """Without control characters, and not endless: parts may come from elsewhere."""
    clean = "".join(letter if letter.isprintable() else " " for letter in text)
    return clean if len(clean) <= _LONGEST_MESSAGE else clean[: _LONGEST_MESSAGE - 1] + "…"


def kept(before: Mapping[str, Any], *without: str) -> tuple[ConditionValue, ...]:
    """The stored conditions as values, but for some types: where a look could not say anything new about them."""
    words = {text: value for value, text in _WORDS.items()}
    return tuple(
        ConditionValue(
            str(condition["type"]),
            words.get(str(condition.get("status"))),
            str(condition.get("reason") or "Unknown"),
            str(condition.get("message") or ""),
        )
        for condition in stored_conditions(before)
        if condition.get("type") not in without
    )


def stored_conditions(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Of a stored status; what is none is passed over."""
    found = status.get("conditions")
    return [item for item in found if isinstance(item, Mapping) and item.get("type")] if isinstance(found, list) else []


def stored_condition(status: Mapping[str, Any], condition_type: str) -> Mapping[str, Any] | None:
    """One of them."""
    return next((item for item in stored_conditions(status) if item["type"] == condition_type), None)


def desired_status(
    before: Mapping[str, Any],
    fields: Mapping[str, Any],
    values: Iterable[ConditionValue],
    generation: int,
    now: datetime,
) -> dict[str, Any]:
    """The whole status to store. None as a field: it is not there."""
    return {
        **{name: value for name, value in fields.items() if value is not None},
        "observedGeneration": generation,
        "conditions": written_conditions(stored_conditions(before), values, generation, now),
    }


def merge_patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """RFC 7396: what makes `after` of `before`; empty when they are the same."""
    patch: dict[str, Any] = {name: None for name in before if name not in after and before[name] is not None}
    for name, value in after.items():
        old = before.get(name)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            inner = merge_patch(old, value)
            if inner:
                patch[name] = inner
        elif value != old:
            patch[name] = value
    return patch


def transition(before: Mapping[str, Any], after: Mapping[str, Any]) -> Event | None:
    """The Event for a change of Ready; None when it has the status that it had."""
    new = stored_condition(after, READY)
    old = stored_condition(before, READY)
    if new is None or (old is not None and old.get("status") == new["status"]):
        return None
    return Event(str(new["reason"]), str(new["message"]) or "Ready", warning=new["status"] != "True")
