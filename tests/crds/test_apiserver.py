"""The CRDs in a real API server: what it takes, what it refuses and in which words, defaults, status, columns.

The models refuse and take the same.
"""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from mailraven.testing.kube_apiserver import APPLY, MERGE, KubeError
from mailraven_api.kubernetes.crd import DEFINITIONS

EXAMPLES = Path(__file__).parents[2] / "examples"
MODELS = {definition.kind: definition.model for definition in DEFINITIONS}
HOURLY = [{"count": 5, "window": "hour"}]
Specs = dict[str, dict[str, Any]]


def samples() -> list[Any]:
    found = []
    for file in sorted(EXAMPLES.glob("*.yaml")):
        for one in yaml.safe_load_all(file.read_text(encoding="utf-8")):
            found.append(pytest.param(one, id=f"{file.name}-{one['kind']}-{one['metadata']['name']}"))
    return found


FULL: dict[str, dict[str, Any]] = {
    "MailDomain": {
        "domain": "full.example",
        "hostname": "mx.full.example",
        "suspended": False,
        "catchAll": "ann@full.example",
        "aliases": ["full.test"],
        "maxUsers": 5,
        "defaultQuota": "2Gi",
        "security": {
            "dkim": {
                "signingEnabled": True, "keySize": 4096, "ed25519": True, "selectorPrefix": "s", "rotationDays": 9
            },
            "spf": {"enabled": True, "enforcement": "strict"},
            "dmarc": {"enforcement": "none", "reporting": True},
            "spam": {"enabled": True, "rejectScore": 7.5, "quarantineScore": 5},
            "greylist": {"enabled": True},
            "antivirus": {"enabled": True},
            "auth": {"totpEnforced": True},
        },
        "limits": {"messagesPerAccount": [*HOURLY, {"count": 9, "windowMinutes": 1440}], "messagesPerDomain": []},
        "tls": {"issuerRef": {"name": "le", "kind": "ClusterIssuer", "group": "x.example"}, "dnsNames": ["a.example"]},
        "allowedNamespaces": {
            "from": "Selector",
            "selector": {
                "matchLabels": {"mail": "yes"},
                "matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}],
            },
        },
        "reclaimPolicy": "Delete",
    },
    "MailUser": {
        "address": "Ann.B@full.example",
        "generatedSecret": {"name": "ann"},
        "displayName": "Ann",
        "quota": 1073741824,
        "aliases": ["sales@full.example"],
        "forwarding": {"targets": ["x@far.example"], "keepCopy": False},
        "vacation": {
            "enabled": True, "subject": "away", "text": "back soon",
            "startsAt": "2026-08-01T08:00:00+02:00", "endsAt": "2026-08-02T08:00:00Z",
        },
        "suspended": True,
        "disabledProtocols": ["imap", "receive"],
        "role": "domain-admin",
        "appPasswords": [{"name": "phone", "secretName": "ann-phone", "protocols": ["imap"]}],
        "limits": {"messages": HOURLY, "recipients": [], "authFailures": HOURLY},
        "reclaimPolicy": "Retain",
    },
    "RateLimitPolicy": {
        "scope": "account",
        "event": "recipients",
        "limits": HOURLY,
        "selector": {
            "domains": ["full.example"], "matchLabels": {"a": "b"}, "accounts": ["ann@full.example"],
            "networks": ["192.0.2.0/24", "2001:db8::1"], "tokens": ["ci"],
        },
        "exempt": {"networks": ["192.0.2.7"], "accounts": ["bob@full.example"], "senders": ["far.example"]},
        "action": "log",
        "priority": -5,
    },
    "BackupSchedule": {
        "schedule": "*/15 0-6 1,15 JAN-MAR MON",
        "timeZone": "Europe/Berlin",
        "suspend": True,
        "immediate": True,
        "target": {
            "s3": {
                "bucket": "mail-backups", "prefix": "a/b", "endpoint": "s3.example:9000", "region": "eu-central-1",
                "secure": False,
                "credentialsSecretRef": {"name": "s3", "accessKeyKey": "a", "secretKeyKey": "b"},
            }
        },
        "retention": {"keepDays": 1, "keepDaily": 2, "keepWeekly": 3, "keepMonthly": 4},
        "encryption": {"secretRef": {"name": "key", "key": "k"}},
        "concurrencyPolicy": "Replace",
        "startingDeadlineSeconds": 60,
        "successfulJobsHistoryLimit": 1,
        "failedJobsHistoryLimit": 2,
    },
    "Backup": {
        "target": {"persistentVolumeClaim": {"claimName": "backups", "subPath": "mail/..x"}},
        "encryption": {"secretRef": {"name": "key", "key": "key"}},
        "retention": {"keepDays": 3},
    },
    "Restore": {
        "target": {"persistentVolumeClaim": {"claimName": "backups"}},
        "encryption": {"secretRef": {"name": "key", "key": "key"}},
        "at": "2026-08-01T08:00:00Z",
        "account": "ann@full.example",
        "mailbox": "INBOX",
        "since": "2026-07-01T00:00:00Z",
        "until": "2026-08-01T00:00:00Z",
        "into": "bob@full.example",
        "mode": "merge",
        "dryRun": True,
    },
}  # fmt: skip


@pytest.mark.parametrize("sample", samples())
def test_the_examples_are_taken_as_they_are(place: Any, sample: dict[str, Any]) -> None:
    text = yaml.safe_dump(sample)
    for how in ((), ("--server-side",)):
        done = place.api.kubectl(
            "apply", "-n", place.namespace, "--validate=strict", *how, "--force-conflicts" if how else "--overwrite",
            "-f", "-", stdin=text,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kind", FULL)
def test_every_field_is_taken_and_given_back(place: Any, kind: str) -> None:
    made = place.create(kind, FULL[kind])
    found = place.api.request("GET", place.path(kind, made["metadata"]["name"]))
    assert found["spec"] == FULL[kind]
    parsed = MODELS[kind].model_validate(found)
    assert parsed.metadata.namespace == place.namespace  # type: ignore[attr-defined]
    assert parsed.document()["metadata"]["uid"] == found["metadata"]["uid"]


@pytest.mark.parametrize("kind", MODELS)
def test_the_least_is_enough(place: Any, least: Specs, kind: str) -> None:
    MODELS[kind].model_validate(place.create(kind, least[kind]))


def test_defaults_are_those_of_the_models(place: Any, least: Specs) -> None:
    found = {kind: place.create(kind, spec)["spec"] for kind, spec in least.items()}
    assert found["MailDomain"] == {"allowedNamespaces": {"from": "Same"}, "reclaimPolicy": "Retain"}
    assert found["MailUser"] == {"address": "ann@example.org", "role": "user", "reclaimPolicy": "Retain"}
    assert found["RateLimitPolicy"] == {
        "scope": "ip", "limits": HOURLY, "event": "messages", "action": "reject"
    }  # fmt: skip
    s3 = {"s3": {"bucket": "mail-backups", "secure": True}}
    assert found["BackupSchedule"] == {
        "schedule": "0 2 * * *", "target": s3, "retention": {"keepDays": 30}, "concurrencyPolicy": "Forbid",
        "successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 3,
    }  # fmt: skip
    assert found["Backup"] == found["Restore"] == {"target": s3}
    for kind, spec in found.items():
        without, given = (
            MODELS[kind].model_validate(place.document(kind, one, "x.example")) for one in (least[kind], spec)
        )
        assert without == given
    spec = {"address": "a@x.example", "passwordSecretRef": {"name": "x"}, "forwarding": {"targets": ["b@x.example"]}}
    made = place.create("MailUser", spec)["spec"]
    assert made["passwordSecretRef"] == {"name": "x", "key": "password"}
    assert made["forwarding"]["keepCopy"] is True


def test_the_status_is_apart(place: Any) -> None:
    made = place.create("MailDomain", {})
    where = place.path("MailDomain", made["metadata"]["name"])
    condition = {
        "type": "Ready", "status": "True", "reason": "Reconciled", "message": "", "observedGeneration": 1,
        "lastTransitionTime": "2026-08-01T08:00:00Z",
    }  # fmt: skip
    status = {"observedGeneration": 1, "users": 2, "conditions": [condition]}
    both = {"status": status, "spec": {"maxUsers": 7}}
    found = place.api.request("PATCH", f"{where}/status", both, content_type=MERGE)
    assert found["status"] == status
    assert "maxUsers" not in found["spec"]
    assert found["metadata"]["generation"] == made["metadata"]["generation"]
    found = place.api.request("PATCH", where, {"status": {"users": 9}, "spec": {"maxUsers": 7}}, content_type=MERGE)
    assert found["status"]["users"] == 2
    assert found["metadata"]["generation"] == made["metadata"]["generation"] + 1
    wrong = {"status": {"conditions": [condition | {"status": "Yes"}]}}
    said = place.refusal(lambda: place.api.request("PATCH", f"{where}/status", wrong, content_type=MERGE))
    assert "status.conditions[0].status" in said
    wait = ("wait", "-n", place.namespace, "--for=condition=Ready", f"md/{made['metadata']['name']}")
    assert place.api.kubectl(*wait, "--timeout=0").returncode == 1  # the condition is about the generation before
    condition["observedGeneration"] = found["metadata"]["generation"]
    place.api.request("PATCH", f"{where}/status", {"status": {"conditions": [condition]}}, content_type=MERGE)
    done = place.api.kubectl(*wait, "--timeout=5s")
    assert done.returncode == 0, done.stderr


def test_server_side_apply_keeps_what_is_others(place: Any) -> None:
    where = place.path("MailUser", "ann")
    mine = place.document(
        "MailUser", {"address": "ann@example.org", "appPasswords": [{"name": "a", "secretName": "a"}]}, "ann"
    )
    other = copy.deepcopy(mine)
    other["spec"]["appPasswords"] = [{"name": "b", "secretName": "b"}]
    for manager, applied in (("one", mine), ("two", other)):
        place.api.request("PATCH", where, applied, content_type=APPLY, fieldManager=manager)
    found = place.api.request("GET", where)
    assert [one["name"] for one in found["spec"]["appPasswords"]] == ["a", "b"]
    mine["spec"]["displayName"] = "One"
    other["spec"]["displayName"] = "Two"
    place.api.request("PATCH", where, mine, content_type=APPLY, fieldManager="one")
    with pytest.raises(KubeError) as raised:
        place.api.request("PATCH", where, other, content_type=APPLY, fieldManager="two")
    assert raised.value.status == 409
    assert ".spec.displayName" in raised.value.message
    ready, synced = (
        {"type": name, "status": "True", "reason": "X", "lastTransitionTime": "2026-08-01T08:00:00Z"}
        for name in ("Ready", "Synced")
    )
    for manager, condition in (("one", synced), ("two", ready)):
        status = {**place.document("MailUser", {}, "ann"), "status": {"conditions": [condition]}}
        del status["spec"]
        place.api.request("PATCH", f"{where}/status", status, content_type=APPLY, fieldManager=manager)
    conditions = place.api.request("GET", where)["status"]["conditions"]
    assert [condition["type"] for condition in conditions] == ["Synced", "Ready"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("maildomains.spec", "Desired state of a domain"),
        ("md.spec.defaultQuota", "in octets or as a quantity"),
        ("md.spec.security.dkim.keySize", "Bits of RSA keys"),
        ("md.spec.limits.messagesPerAccount.window", "15m, 2h, 1d"),
        ("mu.spec.passwordSecretRef.key", "In the Secret's data"),
        ("rlp.spec.priority", "those of the highest priority hold"),
        ("bs.spec.schedule", "Five fields as in cron"),
        ("mbk.status.phase", "How far it is"),
        ("mrs.spec.mode", "For accounts that are there"),
    ],
)
def test_kubectl_explains_every_field(place: Any, path: str, expected: str) -> None:
    done = place.api.kubectl("explain", path)
    assert expected in " ".join(done.stdout.split()), done.stdout + done.stderr


@pytest.mark.parametrize(
    ("short", "kind", "columns"),
    [
        ("md", "MailDomain", "NAME READY DOMAIN USERS DNS CERT REASON AGE"),
        ("mu", "MailUser", "NAME READY ADDRESS QUOTA USED REASON AGE"),
        ("rlp", "RateLimitPolicy", "NAME SCOPE EVENT MATCHED READY REASON AGE"),
        ("bs", "BackupSchedule", "NAME SCHEDULE SUSPEND LAST SUCCESS NEXT READY REASON AGE"),
        ("mbk", "Backup", "NAME PHASE BACKUP MESSAGES BYTES REASON AGE"),
        ("mrs", "Restore", "NAME PHASE BACKUP MESSAGES REASON AGE"),
    ],
)
def test_columns(place: Any, least: Specs, short: str, kind: str, columns: str) -> None:
    place.create(kind, least[kind])
    wide = place.api.kubectl("get", "-n", place.namespace, short, "-o", "wide").stdout.splitlines()[0].split()
    assert wide == columns.split()
    narrow = place.api.kubectl("get", "-n", place.namespace, short).stdout.splitlines()[0].split()
    assert narrow == [name for name in columns.split() if name != "REASON"]


def test_the_category_names_them_all(place: Any, least: Specs) -> None:
    for kind, spec in least.items():
        place.create(kind, spec)
    lines = place.api.kubectl("get", "-n", place.namespace, "mailraven", "-o", "name").stdout.splitlines()
    assert sorted(line.partition(".")[0] for line in lines) == sorted(kind.lower() for kind in least)
