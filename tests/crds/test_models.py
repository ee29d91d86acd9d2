"""The models of the custom resources: what they read, what they refuse, and the API's bodies that they become."""

from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from mailraven_api.kubernetes import (
    BackupSchedule,
    MailDomain,
    MailUser,
    RateLimitPolicy,
    Resource,
    Restore,
    address_key,
    domain_of,
    explain,
)
from mailraven_api.kubernetes.mail_domain import AllowedNamespaces
from mailraven_api.kubernetes.meta import LabelSelector
from mailraven_api.kubernetes.quantity import octets


def make(model: type[Resource], spec: dict[str, Any], **metadata: Any) -> Any:
    return model.model_validate(
        {
            "apiVersion": "mailraven.io/v1alpha1",
            "kind": model.KIND,
            "metadata": {"name": "example.org", "managedFields": [{"manager": "x"}], **metadata},
            "spec": spec,
        }
    )


def why(model: type[Resource], spec: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as raised:
        make(model, spec)
    return explain(raised.value)


def test_only_what_was_set_is_sent() -> None:
    assert make(MailDomain, {}).spec.to_domain_spec().model_dump(exclude_unset=True) == {}
    spec = {
        "domain": "example.org",
        "hostname": "mx.example.org",
        "suspended": True,
        "defaultQuota": "2Gi",
        "maxUsers": 5,
        "security": {"dkim": {"keySize": 4096, "rotationDays": 90, "selectorPrefix": "x"}, "auth": {}},
        "limits": {"messagesPerAccount": [{"count": 5, "window": "2h"}], "messagesPerDomain": []},
        "tls": {"selfSigned": True},
        "allowedNamespaces": {"from": "All"},
        "reclaimPolicy": "Delete",
    }
    sent = make(MailDomain, spec).spec.to_domain_spec({"tier": "a"}).model_dump(mode="json", exclude_unset=True)
    assert sent == {
        "status": "suspended",
        "hostname": "mx.example.org",
        "default_quota_bytes": 2 << 30,
        "max_users": 5,
        "security": {"dkim": {"key_size": 4096}, "auth": {}},
        "limits": {"messages_per_account": [{"count": 5, "window_minutes": 120}], "messages_per_domain": []},
        "labels": {"tier": "a"},
    }
    sent = make(MailDomain, {"suspended": False, "defaultQuota": "none"}).spec.to_domain_spec()
    assert sent.model_dump(exclude_unset=True) == {"status": "active", "default_quota_bytes": None}


def test_the_body_of_an_account() -> None:
    least = make(MailUser, {"address": "ann@example.org"}).spec
    assert least.to_account_put().model_dump(exclude_unset=True) == {}
    spec = make(
        MailUser,
        {
            "address": "ann@example.org",
            "displayName": "Ann",
            "quota": "1.5Gi",
            "aliases": ["sales@example.org"],
            "forwarding": {"targets": ["x@far.example"], "keepCopy": False},
            "vacation": {"enabled": True, "startsAt": "2026-08-01T08:00:00+02:00"},
            "suspended": False,
            "disabledProtocols": ["imap"],
            "role": "domain-admin",
            "appPasswords": [{"name": "phone", "secretName": "ann-phone"}],
            "limits": {"messages": {"count": 3, "windowMinutes": 5}},
        },
    ).spec
    password = SecretStr("correct horse")
    sent = spec.to_account_put({"team": "a"}, password).model_dump(mode="json", exclude_unset=True)
    assert sent == {
        "display_name": "Ann",
        "quota_bytes": 3 << 29,
        "forwarding": {"targets": ["x@far.example"], "keep_copy": False},
        "vacation": {"enabled": True, "starts_at": "2026-08-01T08:00:00+02:00"},
        "suspended": False,
        "disabled": ["imap"],
        "limits": {"messages": [{"count": 3, "window_minutes": 5}]},
        "labels": {"team": "a"},
        "password": "**********",
    }
    assert "correct" not in repr(spec.to_account_put(password=password))


def test_the_body_of_a_policy() -> None:
    spec = {
        "scope": "ip",
        "limits": [{"count": 5, "window": "minute"}],
        "selector": {"networks": ["192.0.2.7", "2001:db8::/32"], "matchLabels": {"a_b": "c"}},
    }
    sent = make(RateLimitPolicy, spec).spec.to_policy_spec()
    assert sent.model_dump(mode="json", exclude_unset=True) == {
        "scope": "ip",
        "limits": [{"count": 5, "window_minutes": 1}],
        "selector": {"networks": ["192.0.2.7/32", "2001:db8::/32"], "match_labels": {"a_b": "c"}},
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0), ("1", 1), ("1k", 1000), ("500M", 500_000_000), ("2Gi", 2 << 30), ("1.5Ki", 1536), ("0.0001k", 1)],
)
def test_quantities(text: str, expected: int) -> None:
    assert octets(text) == expected


@pytest.mark.parametrize("text", ["", "Gi", "1GiB", "1 Gi", "-1", "1e3", ".5Gi", "1m", "\u0661Gi", "1Gi\n"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="expected octets, or a quantity"):
        octets(text)


_TARGET = {"s3": {"bucket": "abc"}}


@pytest.mark.parametrize(
    ("model", "spec", "expected"),
    [
        (MailDomain, {"maxUsers": 0}, "spec.maxUsers: Input should be greater than 0"),
        (MailDomain, {"maxUser": 1}, "spec.maxUser: unknown field"),
        (MailDomain, {"defaultQuota": "0Gi"}, "spec.defaultQuota: Input should be greater than 0"),
        (MailDomain, {"domain": "Example.org"}, "spec.domain: expected a domain in lower case"),
        (
            MailDomain,
            {"limits": {"messagesPerAccount": [{"count": 1, "window": "hour"}, {"count": 2, "window": "60m"}]}},
            "spec.limits.messagesPerAccount: two limits have the same window",
        ),
        (
            MailDomain,
            {"limits": {"messagesPerAccount": [{"count": 1}]}},
            "spec.limits.messagesPerAccount[0]: expected either window or windowMinutes",
        ),
        (
            MailDomain,
            {"limits": {"messagesPerAccount": [{"count": 1, "window": "32d"}]}},
            "spec.limits.messagesPerAccount[0]: expected a window of at least a minute and at most 31 days",
        ),
        (
            MailDomain,
            {"tls": {"secretRef": {"name": "a"}, "selfSigned": True}},
            "spec.tls: expected at most one of issuerRef, secretRef and selfSigned",
        ),
        (MailDomain, {"allowedNamespaces": {"from": "Names"}}, "spec.allowedNamespaces: names belong to from: Names"),
        (
            MailDomain,
            {"allowedNamespaces": {"selector": {}}},
            "spec.allowedNamespaces: selector belongs to from: Selector",
        ),
        (MailUser, {}, "spec.address: missing"),
        (MailUser, {"address": "ann"}, "spec.address: expected an address such as ann@example.org"),
        (
            MailUser,
            {"address": "a@b.c", "passwordSecretRef": {"name": "a"}, "generatedSecret": {"name": "b"}},
            "spec: expected at most one of passwordSecretRef and generatedSecret",
        ),
        (
            MailUser,
            {"address": "a@b.c", "generatedSecret": {"name": "b"}, "appPasswords": [{"name": "x", "secretName": "b"}]},
            "spec: two passwords are to be in the same Secret",
        ),
        (RateLimitPolicy, {"scope": "ip", "limits": []}, "spec.limits: "),
        (
            RateLimitPolicy,
            {"scope": "ip", "limits": [{"count": 1, "window": "day"}], "exempt": {"networks": ["192.0.2.1/24"]}},
            "spec.exempt.networks[0]: expected an address or a network",
        ),
        (BackupSchedule, {"schedule": "0 2 * *", "target": _TARGET}, "spec.schedule: expected five fields as in cron"),
        (
            BackupSchedule,
            {"schedule": "0 2 * * *", "target": {"persistentVolumeClaim": {"claimName": "a", "subPath": "a/../.."}}},
            "spec.target.persistentVolumeClaim: subPath has to stay inside of the volume",
        ),
        (Restore, {}, "spec: expected either backupRef or target"),
    ],
)
def test_what_is_wrong_names_its_field(model: type[Resource], spec: dict[str, Any], expected: str) -> None:
    assert why(model, spec).startswith(expected)


def test_an_explanation_holds_no_value() -> None:
    assert "hunter2" not in why(MailUser, {"address": "hunter2", "password": "hunter2", "quota": "hunter2"})


def test_a_status_makes_nothing_invalid() -> None:
    document = make(MailDomain, {}).document()
    for status in ({"conditions": 7}, {"future": {}}, None, {"users": "many"}, []):
        assert MailDomain.model_validate({**document, "status": status}).status.conditions == ()
    assert MailDomain.model_validate({**document, "status": {"users": 3, "future": 1}}).status.users == 3


def test_the_name_of_a_domain() -> None:
    assert make(MailDomain, {}).domain == "example.org"
    assert make(MailDomain, {"domain": "example.net"}).domain == "example.net"


def test_keys_of_addresses() -> None:
    assert address_key(" Ann.B\u0065\u0301@Example.org ") == "ann.b\u00e9@example.org"
    assert domain_of('"a@b"@Example.org') == "example.org"


@pytest.mark.parametrize(
    ("spec", "namespace", "labels", "expected"),
    [
        ({}, "home", {}, True),
        ({}, "other", {}, False),
        ({"from": "All"}, "other", {}, True),
        ({"from": "Names", "names": ["a", "b"]}, "b", {}, True),
        ({"from": "Names", "names": ["a", "b"]}, "c", {}, False),
        ({"from": "Names", "names": ["a"]}, "home", {}, True),
        ({"from": "Selector", "selector": {"matchLabels": {"mail": "yes"}}}, "x", {"mail": "yes", "a": "b"}, True),
        ({"from": "Selector", "selector": {"matchLabels": {"mail": "yes"}}}, "x", {"mail": "no"}, False),
        ({"from": "Selector", "selector": {}}, "x", {}, True),
    ],
)
def test_which_namespaces_may_have_users(
    spec: dict[str, Any], namespace: str, labels: dict[str, str], expected: bool
) -> None:
    assert AllowedNamespaces.model_validate(spec).allows("home", namespace, labels) is expected


@pytest.mark.parametrize(
    ("operator", "values", "labels", "expected"),
    [
        ("In", ["a", "b"], {"k": "b"}, True),
        ("In", ["a"], {"k": "b"}, False),
        ("In", ["a"], {}, False),
        ("NotIn", ["a"], {"k": "b"}, True),
        ("NotIn", ["a"], {}, True),
        ("NotIn", ["a"], {"k": "a"}, False),
        ("Exists", [], {"k": ""}, True),
        ("Exists", [], {}, False),
        ("DoesNotExist", [], {"k": ""}, False),
        ("DoesNotExist", [], {}, True),
    ],
)
def test_requirements_of_a_selector(operator: str, values: list[str], labels: dict[str, str], expected: bool) -> None:
    requirement = {"key": "k", "operator": operator, "values": values}
    assert LabelSelector.model_validate({"matchExpressions": [requirement]}).matches(labels) is expected
