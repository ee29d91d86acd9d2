"""What is written of an account, from what spec says and the server has."""

from typing import Any

import pytest

from mailraven_api.kubernetes import MailUser
from mailraven_operator.outcome import Problem
from mailraven_operator.users.account_plan import plan_account

ACCOUNT: dict[str, Any] = {
    "address": "ann@example.org",
    "domain": "example.org",
    "display_name": "",
    "role": "user",
    "suspended": False,
    "disabled": [],
    "quota_bytes": None,
    "limits": {"messages": None, "recipients": None, "auth_failures": None},
    "labels": {"mailraven.io/namespace": "team"},
    "forwarding": None,
    "vacation": None,
    "version": 3,
}


def user(status: dict[str, Any] | None = None, labels: dict[str, str] | None = None, **spec: Any) -> MailUser:
    return MailUser.parse(
        {
            "kind": "MailUser",
            "metadata": {"name": "ann", "namespace": "team", "uid": "u", "labels": labels or {}},
            "spec": {"address": "ann@example.org", **spec},
            "status": status or {},
        }
    )


def test_nothing_is_written_when_nothing_differs() -> None:
    assert plan_account(user(), ACCOUNT, None).body is None


@pytest.mark.parametrize(
    ("spec", "account"),
    [
        ({"quota": "1Ki"}, {"quota_bytes": 1024}),
        ({"disabledProtocols": ["smtp", "imap", "imap"]}, {"disabled": ["imap", "smtp"]}),
        ({"limits": {"messages": [{"count": 5, "window": "hour"}]}},
         {"limits": {"messages": [{"count": 5, "window_minutes": 60}], "recipients": None, "auth_failures": None}}),
        ({"forwarding": {"targets": ["A@B.Example", "A@b.example"]}},
         {"forwarding": {"targets": ["A@b.example"], "keep_copy": True}}),
        ({"vacation": {"enabled": True, "startsAt": "2026-08-01T08:00:00+02:00"}},
         {"vacation": {"enabled": True, "subject": "", "text": "", "starts_at": "2026-08-01T06:00:00Z",
                       "ends_at": None}}),
    ],
)  # fmt: skip
def test_the_same_is_the_same_however_it_is_written(spec: dict[str, Any], account: dict[str, Any]) -> None:
    assert plan_account(user(**spec), ACCOUNT | account, None).body is None
    assert plan_account(user(**spec), ACCOUNT, None).body is not None


def test_a_new_account_gets_everything_and_no_empty_limits() -> None:
    made = plan_account(user(limits={"recipients": []}, displayName="Ann"), None, 77)
    assert made.body == {
        "display_name": "Ann",
        "quota_bytes": 77,
        "suspended": False,
        "disabled": [],
        "limits": {"recipients": []},
        "labels": {"mailraven.io/namespace": "team"},
        "forwarding": None,
        "vacation": None,
    }
    assert made.differing == ()


@pytest.mark.parametrize(
    ("spec", "default", "now", "wanted"),
    [
        ({}, 10, 20, 10),
        ({}, None, 20, None),
        ({"quota": 30}, 10, 20, 30),
        ({"quota": "none"}, 10, 20, None),
    ],
)
def test_quota(spec: dict[str, Any], default: int | None, now: int, wanted: int | None) -> None:
    body = plan_account(user(**spec), ACCOUNT | {"quota_bytes": now}, default).body
    assert body is not None
    assert body["quota_bytes"] == wanted


@pytest.mark.parametrize(
    ("spec", "managed", "wanted"),
    [
        ({}, [], "His Own"),
        ({"displayName": "Ann"}, [], "Ann"),
        ({"displayName": "Ann"}, ["displayName"], "Ann"),
        ({}, ["displayName"], ""),
    ],
)
def test_a_name_is_the_persons_own_unless_spec_has_or_had_it(
    spec: dict[str, Any], managed: list[str], wanted: str
) -> None:
    account = ACCOUNT | {"display_name": "His Own", "suspended": True}
    plan = plan_account(user({"managedSettings": managed}, **spec), account, None)
    assert plan.body is not None
    assert plan.body["display_name"] == wanted
    assert plan.managed == (("displayName",) if spec else ())
    assert "suspended" in plan.differing


def test_the_label_of_the_namespace_cannot_be_forged() -> None:
    labels = {"mailraven.io/namespace": "victim", "tier": "gold"}
    plan = plan_account(user(labels=labels), None, None)
    assert plan.body is not None
    assert plan.body["labels"] == {"mailraven.io/namespace": "team", "tier": "gold"}


@pytest.mark.parametrize("target", ["", "ann", "@example.org", "ann@", "ann@a b"])
def test_a_target_that_is_no_address_is_named(target: str) -> None:
    with pytest.raises(Problem, match=r"spec\.forwarding\.targets\[0\]") as raised:
        plan_account(user(forwarding={"targets": [target]}), None, None)
    assert raised.value.reason == "InvalidSpec"
