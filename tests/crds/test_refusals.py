"""What a real API server refuses by the CRDs, in words that name the field. The models refuse the same."""

from typing import Any

import pytest
from pydantic import ValidationError

from mailraven.testing.kube_apiserver import MERGE
from mailraven_api.kubernetes.crd import DEFINITIONS

MODELS = {definition.kind: definition.model for definition in DEFINITIONS}
S3 = {"s3": {"bucket": "mail-backups"}}
CLAIM = {"persistentVolumeClaim": {"claimName": "backups"}}
HOURLY = [{"count": 5, "window": "hour"}]
NEEDED = [
    ("MailUser", "address"), ("RateLimitPolicy", "scope"), ("RateLimitPolicy", "limits"),
    ("BackupSchedule", "schedule"), ("BackupSchedule", "target"), ("Backup", "target"), ("Restore", "target"),
]  # fmt: skip
Specs = dict[str, dict[str, Any]]

REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    # kind, what differs from the least, the field that is named, a part of the message
    ("MailDomain", {"domain": "Example.org"}, "spec.domain", "should match"),
    ("MailDomain", {"domain": "a..b"}, "spec.domain", "should match"),
    ("MailDomain", {"hostname": "mx example"}, "spec.hostname", "should match"),
    ("MailDomain", {"aliases": ["-x.example"]}, "spec.aliases[0]", "should match"),
    ("MailDomain", {"aliases": ["a.example"] * 101}, "spec.aliases", "must have at most 100 items"),
    ("MailDomain", {"catchAll": "x" * 321}, "spec.catchAll", "may not be more than 320"),
    ("MailDomain", {"maxUsers": 0}, "spec.maxUsers", "greater than or equal to 1"),
    ("MailDomain", {"defaultQuota": "many"}, "spec.defaultQuota", "should match"),
    ("MailDomain", {"defaultQuota": 0}, "spec.defaultQuota", "greater than or equal to 1"),
    ("MailDomain", {"defaultQuota": "0.0Gi"}, "spec.defaultQuota", "expected more than nothing"),
    ("MailDomain", {"defaultQuota": 1.5}, "spec.defaultQuota", "must be of type"),
    ("MailDomain", {"security": {"dkim": {"keySize": 1024}}}, "spec.security.dkim.keySize", "Unsupported value"),
    ("MailDomain", {"security": {"dkim": {"rotationDays": 0}}}, "spec.security.dkim.rotationDays", "or equal to 1"),
    ("MailDomain", {"security": {"spam": {"rejectScore": -1}}}, "spec.security.spam.rejectScore", "or equal to 0"),
    ("MailDomain", {"security": {"spf": {"enforcement": "x"}}}, "spec.security.spf.enforcement", "Unsupported value"),
    ("MailDomain", {"limits": {"messagesPerDomain": [{"count": 0, "window": "day"}]}},
     "spec.limits.messagesPerDomain[0].count", "or equal to 1"),
    ("MailDomain", {"limits": {"messagesPerDomain": [{"count": 1}]}},
     "spec.limits.messagesPerDomain[0]", "expected either window or windowMinutes"),
    ("MailDomain", {"limits": {"messagesPerDomain": [{"count": 1, "window": "day", "windowMinutes": 5}]}},
     "spec.limits.messagesPerDomain[0]", "expected either window or windowMinutes"),
    ("MailDomain", {"limits": {"messagesPerDomain": [{"count": 1, "window": "week"}]}},
     "spec.limits.messagesPerDomain[0].window", "should match"),
    ("MailDomain", {"tls": {"issuerRef": {"name": "x"}, "selfSigned": True}}, "spec.tls", "expected at most one of"),
    ("MailDomain", {"tls": {"issuerRef": {"name": "x"}, "secretRef": {"name": "y"}}}, "spec.tls", "at most one of"),
    ("MailDomain", {"tls": {"secretRef": {"name": "other/secret"}}}, "spec.tls.secretRef.name", "should match"),
    ("MailDomain", {"allowedNamespaces": {"from": "Selector"}},
     "spec.allowedNamespaces.selector", "selector belongs to from: Selector"),
    ("MailDomain", {"allowedNamespaces": {"from": "All", "selector": {}}},
     "spec.allowedNamespaces.selector", "selector belongs to from: Selector"),
    ("MailDomain", {"allowedNamespaces": {"from": "Names"}}, "spec.allowedNamespaces.names", "names belong to from"),
    ("MailDomain", {"allowedNamespaces": {"names": ["x"]}}, "spec.allowedNamespaces.names", "names belong to from"),
    ("MailDomain", {"reclaimPolicy": "delete"}, "spec.reclaimPolicy", "Unsupported value"),
    ("MailUser", {"address": "ann"}, "spec.address", "should match"),
    ("MailUser", {"address": "ann@Example.org"}, "spec.address", "should match"),
    ("MailUser", {"address": "ann/sub@example.org"}, "spec.address", "should match"),
    ("MailUser", {"address": "ann\tb@example.org"}, "spec.address", "should match"),
    ("MailUser", {"address": "ann\x00@example.org"}, "spec.address", "should match"),
    # A number that the API server had better not compute.
    ("MailUser", {"quota": "1e999999999"}, "spec.quota", "should match"),
    ("MailUser", {"passwordSecretRef": {"name": "a"}, "generatedSecret": {"name": "b"}},
     "spec", "expected at most one of passwordSecretRef and generatedSecret"),
    ("MailUser", {"passwordSecretRef": {"name": "a", "key": "a/b"}}, "spec.passwordSecretRef.key", "should match"),
    ("MailUser", {"quota": "none of it"}, "spec.quota", "should match"),
    ("MailUser", {"forwarding": {"targets": []}}, "spec.forwarding.targets", "should have at least 1 items"),
    ("MailUser", {"vacation": {"startsAt": "2026-08-02T00:00:00Z", "endsAt": "2026-08-01T00:00:00Z"}},
     "spec.vacation.endsAt", "endsAt has to be after startsAt"),
    ("MailUser", {"vacation": {"startsAt": "tomorrow"}}, "spec.vacation.startsAt", "date-time"),
    ("MailUser", {"disabledProtocols": ["pop3"]}, "spec.disabledProtocols[0]", "Unsupported value"),
    ("MailUser", {"role": "root"}, "spec.role", "Unsupported value"),
    ("MailUser", {"appPasswords": [{"name": "a", "secretName": "b", "protocols": []}]},
     "spec.appPasswords[0].protocols", "at least 1 items"),
    ("MailUser", {"appPasswords": [{"name": "a", "secretName": "b"}, {"name": "a", "secretName": "c"}]},
     "spec.appPasswords[1]", "Duplicate value"),
    ("MailUser", {"appPasswords": [{"name": "a", "secretName": "c"}, {"name": "b", "secretName": "c"}]},
     "spec.appPasswords", "two passwords are to be in the same Secret"),
    ("MailUser", {"generatedSecret": {"name": "c"}, "appPasswords": [{"name": "a", "secretName": "c"}]},
     "spec.appPasswords", "two passwords are to be in the same Secret"),
    ("RateLimitPolicy", {"scope": "host"}, "spec.scope", "Unsupported value"),
    ("RateLimitPolicy", {"event": "logins"}, "spec.event", "Unsupported value"),
    ("RateLimitPolicy", {"limits": []}, "spec.limits", "at least 1 items"),
    ("RateLimitPolicy", {"limits": HOURLY * 5}, "spec.limits", "at most 4 items"),
    ("RateLimitPolicy", {"selector": {"networks": ["192.0.2.1/24"]}}, "spec.selector.networks[0]", "a network such as"),
    ("RateLimitPolicy", {"selector": {"networks": ["everywhere"]}}, "spec.selector.networks[0]", "a network such as"),
    ("RateLimitPolicy", {"action": "drop"}, "spec.action", "Unsupported value"),
    ("RateLimitPolicy", {"priority": 1_000_001}, "spec.priority", "less than or equal to 1000000"),
    ("BackupSchedule", {"schedule": "@daily"}, "spec.schedule", "should match"),
    ("BackupSchedule", {"schedule": "0 0 2 * * *"}, "spec.schedule", "should match"),
    ("BackupSchedule", {"schedule": "TZ=UTC 0 2 * * *"}, "spec.schedule", "should match"),
    ("BackupSchedule", {"timeZone": "Europe Berlin"}, "spec.timeZone", "should match"),
    ("BackupSchedule", {"target": {}}, "spec.target", "expected either s3 or persistentVolumeClaim"),
    ("BackupSchedule", {"target": S3 | CLAIM}, "spec.target", "expected either s3 or persistentVolumeClaim"),
    ("BackupSchedule", {"target": {"s3": {"bucket": "A"}}}, "spec.target.s3.bucket", "at least 3 chars"),
    ("BackupSchedule", {"target": {"persistentVolumeClaim": {"claimName": "a", "subPath": "../x"}}},
     "spec.target.persistentVolumeClaim.subPath", "subPath has to stay inside of the volume"),
    ("BackupSchedule", {"retention": {"keepDays": -1}}, "spec.retention.keepDays", "or equal to 0"),
    ("BackupSchedule", {"concurrencyPolicy": "Queue"}, "spec.concurrencyPolicy", "Unsupported value"),
    ("BackupSchedule", {"startingDeadlineSeconds": 1}, "spec.startingDeadlineSeconds", "or equal to 10"),
    ("Backup", {"target": {}}, "spec.target", "expected either s3 or persistentVolumeClaim"),
    ("Restore", {"backupRef": {"name": "x"}}, "spec", "expected either backupRef or target"),
    ("Restore", {"domain": "x.example", "account": "a@x.example", "mode": "merge"}, "spec", "at most one of domain"),
    ("Restore", {"domain": "x.example", "mailbox": "INBOX", "mode": "merge"}, "spec.account", "belong to account"),
    ("Restore", {"account": "a@x.example", "mailbox": "INBOX"}, "spec.mode", "need a mode or into"),
    ("Restore", {"mode": "merge"}, "spec", "without domain or account everything comes back"),
    ("Restore", {"domain": "x.example", "releaseQueue": True}, "spec.releaseQueue", "the restore of everything"),
    ("Restore", {"account": "a@x.example", "mode": "beside", "since": "2026-08-02T00:00:00Z",
                 "until": "2026-08-01T00:00:00Z"}, "spec.until", "until has to be after since"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "spec", "field", "message"), REFUSED, ids=lambda value: str(value)[:40])
def test_what_is_wrong_is_refused_by_name(
    place: Any, least: Specs, kind: str, spec: dict[str, Any], field: str, message: str
) -> None:
    said = place.refusal(place.create, kind, least[kind] | spec)
    assert f"{field}: " in said
    assert message in said
    with pytest.raises(ValidationError):
        MODELS[kind].model_validate(place.document(kind, least[kind] | spec))


def test_the_encryption_of_a_backup_ref_is_its_own(place: Any) -> None:
    spec = {"backupRef": {"name": "x"}, "encryption": {"secretRef": {"name": "key"}}}
    assert "spec.encryption: " in place.refusal(place.create, "Restore", spec)
    with pytest.raises(ValidationError):
        MODELS["Restore"].model_validate(place.document("Restore", spec))


@pytest.mark.parametrize(("kind", "missing"), NEEDED)
def test_what_is_needed_is_said(place: Any, least: Specs, kind: str, missing: str) -> None:
    spec = {name: value for name, value in least[kind].items() if name != missing}
    said = place.refusal(place.create, kind, spec)
    assert "Required value" in said or "expected either" in said


def test_unknown_fields_are_refused_and_so_are_the_names_of_the_api(place: Any, least: Specs) -> None:
    said = place.refusal(place.create, "MailDomain", {"max_users": 5})
    assert 'unknown field "spec.max_users"' in said
    assert "unknown field" in place.refusal(place.create, "MailUser", least["MailUser"] | {"password": "x"})


def test_a_resource_whose_name_is_no_domain_has_to_say_it(place: Any) -> None:
    said = place.refusal(place.create, "MailDomain", {}, "x" * 64)
    assert "spec.domain: Invalid value" in said
    place.create("MailDomain", {"domain": "long.example"}, "x" * 64)


def test_what_never_changes(place: Any, least: Specs) -> None:
    domain = place.create("MailDomain", {})
    for spec in ({"domain": "other.example"}, {"domain": "x." + domain["metadata"]["name"]}):
        said = place.refusal(place.change, domain, spec)
        assert "spec.domain: Invalid value" in said
        assert "another name is another domain" in said
    place.change(domain, {"domain": domain["metadata"]["name"], "maxUsers": 5})
    named = place.create("MailDomain", {"domain": "named.example"}, "named")
    assert "spec.domain" in place.refusal(place.change, named, {"domain": None})
    user = place.create("MailUser", {"address": "ann@example.org"})
    said = place.refusal(place.change, user, {"address": "bob@example.org"})
    assert "spec.address: Invalid value" in said
    assert "another address is another user" in said
    place.change(user, {"displayName": "Ann"})
    for kind in ("Backup", "Restore"):
        made = place.create(kind, least[kind])
        said = place.refusal(place.change, made, {"target": {"s3": {"prefix": "other"}}})
        assert "spec: Invalid value" in said
        assert "spec does not change" in said
        labelled = {"metadata": {"labels": {"a": "b"}}}
        place.api.request("PATCH", place.path(kind, made["metadata"]["name"]), labelled, content_type=MERGE)
