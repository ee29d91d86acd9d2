"""Decisions about aliases, app passwords, reports and Secrets, as tables."""

import base64
from typing import Any

import pytest

from mailraven_api.kubernetes import MailUser
from mailraven_api.kubernetes.mail_user import AppPassword
from mailraven_operator.outcome import Problem
from mailraven_operator.server import ServerRefused
from mailraven_operator.users.alias_plan import plan_aliases
from mailraven_operator.users.app_password_plan import Existing, Make, check_name, plan_app_passwords
from mailraven_operator.users.issue import Issue, refused
from mailraven_operator.users.report import Findings, outcome_of, status_of
from mailraven_operator.users.secret_contents import Hosts, contents, make_password, read_secret

ANN = "ann@example.org"


def check(alias: str) -> None:
    if alias.endswith("@closed.example"):
        raise Problem("DomainNotAllowed", "closed", retry=False)


@pytest.mark.parametrize(
    ("wanted", "made", "targets", "put", "delete", "ours"),
    [
        ([], [], {}, [], [], []),
        (["A@example.org"], [], {}, ["a@example.org"], [], ["a@example.org"]),
        (["a@example.org"], [], {"a@example.org": ["Ann@example.org"]}, [], [], ["a@example.org"]),
        (["a@example.org"], [], {"a@example.org": ["bob@example.org"]}, [], [], []),
        (["a@example.org"], ["a@example.org"], {"a@example.org": ["bob@example.org"]}, ["a@example.org"], [],
         ["a@example.org"]),
        ([], ["a@example.org"], {"a@example.org": [ANN]}, [], ["a@example.org"], []),
        ([], ["a@example.org"], {"a@example.org": [ANN, "bob@example.org"]}, [], [], []),
        ([], ["a@example.org"], {}, [], [], []),
        ([], [], {"a@example.org": [ANN]}, [], [], []),
        (["x@closed.example"], ["x@closed.example"], {"x@closed.example": [ANN]}, [], [], ["x@closed.example"]),
        (["x@closed.example"], [], {"x@closed.example": [ANN]}, [], [], []),
        (["x@closed.example"], ["x@closed.example"], {}, [], [], []),
        ([ANN, "*@example.org"], [], {}, [], [], []),
    ],
)  # fmt: skip
def test_aliases(
    wanted: list[str],
    made: list[str],
    targets: dict[str, list[str]],
    put: list[str],
    delete: list[str],
    ours: list[str],
) -> None:
    plan = plan_aliases(ANN, wanted, made, targets, check)
    assert (list(plan.put), list(plan.delete), list(plan.ours)) == (put, delete, ours)
    assert len(plan.issues) == len([alias for alias in wanted if alias.lower() not in ours or "closed" in alias])


def wanted(name: str = "phone", *protocols: str) -> AppPassword:
    return AppPassword.model_validate({"name": name, "secretName": name, "protocols": protocols or ("imap", "smtp")})


def existing(number: int, name: str = "mailuser:phone", *protocols: str) -> Existing:
    return Existing(number, name, frozenset(protocols or ("smtp", "imap")))


@pytest.mark.parametrize(
    ("spec", "server", "secrets", "make", "delete"),
    [
        ([], [existing(1, "by hand")], {}, [], []),
        ([wanted()], [], {}, [Make(wanted())], []),
        ([wanted()], [existing(1, "phone")], {}, [Make(wanted())], []),
        ([wanted()], [existing(1)], {"phone": 1}, [], []),
        ([wanted()], [existing(2)], {"phone": 1}, [Make(wanted(), 2)], []),
        ([wanted()], [existing(2)], {"phone": None}, [Make(wanted(), 2)], []),
        ([wanted()], [existing(2)], {}, [Make(wanted(), 2)], []),
        ([wanted()], [], {"phone": 1}, [Make(wanted())], []),
        ([wanted("phone", "imap")], [existing(1)], {"phone": 1}, [Make(wanted("phone", "imap"), 1)], []),
        ([], [existing(1), existing(2, "mailuser:tv")], {}, [], [1, 2]),
    ],
)
def test_app_passwords(
    spec: list[AppPassword],
    server: list[Existing],
    secrets: dict[str, int | None],
    make: list[Make],
    delete: list[int],
) -> None:
    plan = plan_app_passwords(spec, server, secrets)
    assert (list(plan.make), list(plan.delete)) == (make, delete)
    assert len(plan.keep) + len(plan.make) == len(spec)


def test_names_that_the_server_would_refuse() -> None:
    check_name("x" * 91)
    with pytest.raises(Problem, match="91"):
        check_name("x" * 92)


@pytest.mark.parametrize(
    ("status", "field", "text", "issue"),
    [
        (422, "/quota_bytes", "no", Issue("ServerRefused", "spec.quota: no", False)),
        (422, "/limits/messages/0/count", "no", Issue("ServerRefused", "spec.limits.messages[0].count: no", False)),
        (409, "", "all taken (max_users)", Issue("ServerRefused", "all taken (max_users)", True)),
        (422, "/labels/x", "no", Issue("ServerRefused", "no", False)),
        (422, "", "it holds s3cret", Issue("ServerRefused", "Unprocessable", False)),
    ],
)
def test_the_servers_words(status: int, field: str, text: str, issue: Issue) -> None:
    assert refused(ServerRefused(status, "Unprocessable", text, field), secret="s3cret") == issue


def user(**status: Any) -> MailUser:
    return MailUser.parse({"kind": "MailUser", "metadata": {"name": "ann"}, "spec": {"address": ANN}, "status": status})


@pytest.mark.parametrize(
    ("shown", "messages", "used", "now", "result"),
    [
        (None, None, 0, 0, (0, 0)),
        (0, 0, 100, 1, (100, 1)),
        (100, 1, 1000, 5, (100, 1)),
        (100, 1, 100 + 2**20, 9, (100 + 2**20, 9)),
        (10**9, 7, 10**9 + 2**20, 9, (10**9, 7)),
        (10**9, 7, 1011 * 10**6, 9, (1011 * 10**6, 9)),
        (100, 1, 0, 0, (0, 0)),
        (100, None, 100, 3, (100, 3)),
    ],
)
def test_usage_is_written_when_it_changes_much(
    shown: int | None, messages: int | None, used: int, now: int, result: tuple[int, int]
) -> None:
    account = {"address": ANN, "quota_bytes": None, "used_bytes": used, "messages": now}
    status = status_of(user(usedBytes=shown, messages=messages), Findings(account))
    assert (status["usedBytes"], status["messages"]) == result


def test_issues_end_as_conditions_and_are_tried_again_when_one_is_worth_it() -> None:
    account = {"address": ANN, "quota_bytes": 1, "used_bytes": 0, "messages": 0}
    assert [one.type for one in outcome_of(user(), Findings(account)).conditions] == ["CredentialsReady", "Synced"]
    found = Findings(
        account, synced=(Issue("Conflict", "taken", False),), credentials=(Issue("SecretNotFound", "none"),)
    )
    with pytest.raises(Problem) as raised:
        outcome_of(user(), found)
    problem = raised.value
    assert (problem.reason, problem.message, problem.retry) == ("Conflict", "taken; none", True)
    assert [one.reason for one in problem.conditions] == ["SecretNotFound", "Conflict"]
    assert problem.status is not None
    assert problem.status["address"] == ANN


def test_made_passwords_are_long_and_no_two_are_the_same() -> None:
    assert len(make_password()) == 32
    assert len(make_password(128)) == 128
    assert len({make_password() for _ in range(50)}) == 50


def test_urls_name_the_user_safely() -> None:
    plain = contents('"a/b"@example.org', "p:@/", Hosts("h", 993, 465), frozenset({"imap", "smtp"}))
    assert plain["imap-url"] == "imaps://%22a%2Fb%22%40example.org:p%3A%40%2F@h:993"
    assert plain["smtp-url"].startswith("smtps://")


@pytest.mark.parametrize(
    ("data", "annotation", "owner", "password", "number", "owned"),
    [
        ({}, "", "u", "", None, True),
        ({"password": base64.b64encode(b"x\r\n").decode()}, "7", "u", "x", 7, True),
        ({"password": "***"}, "-7", "v", "", None, False),
        ({"password": base64.b64encode(b"\xff").decode()}, "9" * 30, "", "", None, False),
    ],
)
def test_what_a_secret_says(
    data: dict[str, str], annotation: str, owner: str, password: str, number: int | None, owned: bool
) -> None:
    metadata = {"annotations": {"mailraven.io/app-password-id": annotation}, "ownerReferences": [{"uid": owner}]}
    state = read_secret({"metadata": metadata, "data": data}, "u", "u/1")
    assert (state.password, state.app_password_id, state.owned) == (password, number, owned)


def test_a_resource_without_uid_owns_nothing() -> None:
    assert not read_secret({"metadata": {"ownerReferences": [{"uid": ""}]}}, "", "u/1").owned
