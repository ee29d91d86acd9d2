"""What is written about a resource, as pure functions."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mailraven_operator.outcome import ConditionValue
from mailraven_operator.status import desired_status, kept, merge_patch, one_line, transition, written_conditions

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
READY = ConditionValue("Ready", True, "Reconciled")
SYNCED = ConditionValue("Synced", True, "Reconciled")


def merged(target: Any, patch: Any) -> Any:
    """RFC 7396, section 2, as the RFC writes it."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def test_ready_is_written_last() -> None:
    written = written_conditions([], (READY, SYNCED), 3, NOW)
    assert [(item["type"], item["observedGeneration"]) for item in written] == [("Synced", 3), ("Ready", 3)]


def test_a_time_of_transition_stays_with_its_status() -> None:
    first = written_conditions([], (SYNCED, READY), 1, NOW)
    again = written_conditions(first, (SYNCED, ConditionValue("Ready", True, "Adopted")), 2, LATER)
    assert {item["lastTransitionTime"] for item in again} == {"2026-11-21T10:00:00Z"}
    assert again[1]["reason"] == "Adopted"
    broken = written_conditions(again, (SYNCED, ConditionValue("Ready", None, "Waiting")), 2, LATER)
    assert broken[1]["status"] == "Unknown"
    assert broken[1]["lastTransitionTime"] == "2026-11-21T10:05:00Z"


def test_the_same_again_is_no_patch() -> None:
    before = desired_status({}, {"address": "a@b", "quotaBytes": None}, (SYNCED, READY), 1, NOW)
    after = desired_status(before, {"address": "a@b", "quotaBytes": None}, (SYNCED, READY), 1, LATER)
    assert "quotaBytes" not in before
    assert merge_patch(before, after) == {}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"a": 1}),
        ({"a": 1}, {}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}),
        ({"a": {"b": 1}}, {"a": [1]}),
        ({"a": [1, 2]}, {"a": [2]}),
        ({"a": {"b": {"c": 1}}, "d": 0}, {"a": {"b": {"c": 1}}, "d": False}),
        ({"a": {"b": 1}}, {"a": {}}),
        ({"a": 1}, {"a": {"b": {"c": 2}}}),
    ],
)
def test_a_patch_makes_the_one_of_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert merged(before, merge_patch(before, after)) == after


def test_an_event_is_for_a_change_of_ready_only() -> None:
    fine = desired_status({}, {}, (READY,), 1, NOW)
    broken = desired_status(fine, {}, (ConditionValue("Ready", False, "SecretNotFound", "no pw"),), 1, NOW)
    worse = desired_status(broken, {}, (ConditionValue("Ready", False, "DomainNotFound", "no domain"),), 1, NOW)
    first, second = transition({}, fine), transition(fine, broken)
    assert first is not None
    assert not first.warning
    assert second is not None
    assert (second.reason, second.message, second.warning) == ("SecretNotFound", "no pw", True)
    assert transition(broken, worse) is None
    assert transition(broken, broken) is None


def test_stored_conditions_can_be_kept() -> None:
    stored = desired_status({}, {}, (SYNCED, ConditionValue("DNSReady", None, "Unknown", "not asked"), READY), 1, NOW)
    assert kept(stored, "Ready") == (SYNCED, ConditionValue("DNSReady", None, "Unknown", "not asked"))
    assert kept({"conditions": ["nonsense", {"type": "X"}]}) == (ConditionValue("X", None, "Unknown", ""),)


def test_messages_are_one_line_of_a_bearable_length() -> None:
    assert one_line("a\nb\x1b[31m") == "a b [31m"
    assert len(one_line("x" * 5000)) == 2000
