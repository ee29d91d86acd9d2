"""Jobs and CronJobs as documents, compared with those in golden/. MAILRAVEN_WRITE_GOLDEN=1 writes them anew."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from mailraven_api.kubernetes import Backup, BackupSchedule, Restore
from mailraven_operator.backups import names
from mailraven_operator.backups.job_documents import (
    backup_document,
    cron_job_document,
    immediate_document,
    is_orphan_of,
    is_owned,
    restore_document,
)
from mailraven_operator.backups.source import source_of
from mailraven_operator.backups.target import secrets_of
from mailraven_operator.backups.template import read_template
from mailraven_operator.outcome import Problem
from mailraven_operator.world import World

GOLDEN = Path(__file__).parent / "golden"
TEMPLATE = yaml.safe_load((GOLDEN / "template.yaml").read_text())
BUCKET = {
    "s3": {
        "bucket": "backups",
        "prefix": "mail/one/",
        "endpoint": "s3.example.test:9000",
        "region": "eu-1",
        "secure": False,
        "credentialsSecretRef": {"name": "s3-keys"},
    }
}
CLAIM = {"persistentVolumeClaim": {"claimName": "backups", "subPath": "mail"}}
KEY = {"secretRef": {"name": "backup-key"}}


def metadata(name: str) -> dict[str, Any]:
    return {"name": name, "namespace": "mail", "uid": f"uid-of-{name}", "generation": 1}


def schedule(**spec: Any) -> BackupSchedule:
    document = {"kind": "BackupSchedule", "metadata": metadata("nightly"), "spec": {"schedule": "0 2 * * *", **spec}}
    return BackupSchedule.parse(document)


def backup(**spec: Any) -> Backup:
    return Backup.parse({"kind": "Backup", "metadata": metadata("now"), "spec": spec})


def restore(**spec: Any) -> Restore:
    return Restore.parse({"kind": "Restore", "metadata": metadata("back"), "spec": spec})


def restored(resource: Restore, world: World | None = None) -> dict[str, Any]:
    return restore_document(resource, source_of(world or World(), resource), TEMPLATE)


EVERYTHING = {
    "timeZone": "Europe/Berlin",
    "suspend": True,
    "target": BUCKET,
    "encryption": KEY,
    "retention": {"keepDays": 7, "keepWeekly": 4, "keepMonthly": 12},
    "concurrencyPolicy": "Replace",
    "startingDeadlineSeconds": 600,
    "successfulJobsHistoryLimit": 1,
    "failedJobsHistoryLimit": 5,
}
DOCUMENTS: dict[str, Callable[[], dict[str, Any]]] = {
    "schedule": lambda: cron_job_document(schedule(target={"s3": {"bucket": "backups"}}), TEMPLATE),
    "schedule-with-everything": lambda: cron_job_document(schedule(**EVERYTHING), TEMPLATE),
    "schedule-immediate": lambda: immediate_document(schedule(target=CLAIM), TEMPLATE),
    "backup": lambda: backup_document(backup(target=CLAIM, encryption=KEY), TEMPLATE),
    "backup-with-retention": lambda: backup_document(backup(target=BUCKET, retention={"keepDays": 3}), TEMPLATE),
    "restore": lambda: restored(restore(target=CLAIM, releaseQueue=True, at="2026-11-20T00:00:00Z")),
    "restore-a-part": lambda: restored(
        restore(
            target=BUCKET,
            encryption=KEY,
            account="ann@example.test",
            mailbox="--merge $(MAILRAVEN_BLOBS__S3__ACCESS_KEY)",
            since="2026-11-01T00:00:00+01:00",
            into="bob@example.test",
            mode="beside",
            dryRun=True,
        )
    ),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_it_is_the_golden_one(name: str) -> None:
    before = copy.deepcopy(TEMPLATE)
    found = DOCUMENTS[name]()
    file = GOLDEN / f"{name}.yaml"
    if os.environ.get("MAILRAVEN_WRITE_GOLDEN"):
        file.write_text(yaml.safe_dump(json.loads(json.dumps(found)), sort_keys=False, width=120))
    assert found == yaml.safe_load(file.read_text())
    assert before == TEMPLATE


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_secret_is_in_the_arguments(name: str) -> None:
    text = yaml.dump(DOCUMENTS[name]())
    assert "SECRET_KEY" not in text or "secretKeyRef" in text
    template = DOCUMENTS[name]()["spec"]
    pod = template.get("jobTemplate", {}).get("spec", template)["template"]["spec"]
    for variable in pod["containers"][0]["env"]:
        assert ("value" in variable) != ("valueFrom" in variable)
        assert "KEY" not in variable["name"] or "valueFrom" in variable


def test_a_variable_of_the_resource_takes_the_place_of_the_templates() -> None:
    template = copy.deepcopy(TEMPLATE)
    template["spec"]["containers"][0]["env"] += [{"name": "MAILRAVEN_BACKUP__S3__ENDPOINT", "value": "elsewhere"}]
    template["spec"]["volumes"] += [{"name": "mailraven-backup-target", "emptyDir": {}}]
    pod = backup_document(backup(target=BUCKET), template)["spec"]["template"]["spec"]
    endpoints = [one["value"] for one in pod["containers"][0]["env"] if one["name"].endswith("ENDPOINT")]
    assert endpoints == ["s3.example.test:9000"]
    pod = backup_document(backup(target=CLAIM), template)["spec"]["template"]["spec"]
    names_of = [one["name"] for one in pod["volumes"]]
    assert len(names_of) == len(set(names_of))


@pytest.mark.parametrize("prefix", ["..", ".hidden", "a/../b", "a b", "a?b", "-x"])
def test_a_prefix_that_is_none(prefix: str) -> None:
    if " " in prefix:
        with pytest.raises(ValueError, match="prefix"):
            backup(target={"s3": {"bucket": "backups", "prefix": prefix}})
        return
    with pytest.raises(Problem, match=r"spec\.target\.s3\.prefix") as caught:
        backup_document(backup(target={"s3": {"bucket": "backups", "prefix": prefix}}), TEMPLATE)
    assert (caught.value.reason, caught.value.retry) == ("InvalidSpec", False)


def test_the_secrets_that_have_to_be_there() -> None:
    spec = backup(target=BUCKET, encryption=KEY).spec
    assert [(one.name, one.keys) for one in secrets_of(spec.target, spec.encryption)] == [
        ("s3-keys", ("access-key", "secret-key")),
        ("backup-key", ("key",)),
    ]
    assert secrets_of(backup(target=CLAIM).spec.target, None) == ()


def test_a_restore_of_a_backup_takes_its_place_key_and_name() -> None:
    world = World()
    resource = restore(backupRef={"name": "now"}, account="ann@example.test", mode="merge")
    with pytest.raises(Problem, match="there is no Backup now"):
        source_of(world, resource)
    document = {
        "apiVersion": "mailraven.io/v1alpha1",
        "kind": "Backup",
        "metadata": metadata("now") | {"resourceVersion": "1", "creationTimestamp": "2026-11-21T00:00:00Z"},
        "spec": {"target": CLAIM, "encryption": KEY},
    }
    for number, (phase, reason) in enumerate([("Running", "BackupNotReady"), ("Failed", "BackupFailed")], 2):
        document["metadata"]["resourceVersion"] = str(number)
        world.take("Backup", document | {"status": {"phase": phase}})
        with pytest.raises(Problem) as caught:
            source_of(world, resource)
        assert caught.value.reason == reason
    document["metadata"]["resourceVersion"] = "9"
    world.take("Backup", document | {"status": {"phase": "Succeeded", "backupName": "20261121T020000.000000Z-ab"}})
    found = restored(resource, world)["spec"]["template"]["spec"]["containers"][0]["args"]
    assert found[1:5] == ["--target", "/backup", "--key-file", "/run/mailraven/backup-key/key"]
    assert "--at=20261121T020000.000000Z-ab" in found


def test_owners() -> None:
    document = cron_job_document(schedule(target=CLAIM), TEMPLATE)
    again = schedule(target=CLAIM)
    assert is_owned(document, again)
    other = BackupSchedule.parse(again.document() | {"metadata": metadata("nightly") | {"uid": "another"}})
    assert not is_owned(document, other)
    assert is_orphan_of(document, other)
    assert not is_orphan_of({"metadata": {}}, other)
    assert not is_orphan_of(document, backup(target=CLAIM))


def test_names_fit_whatever_the_resource_is_called() -> None:
    long = [schedule(target=CLAIM).metadata.model_copy(update={"name": "a" * 251 + end}) for end in ("b", "c")]
    dotted = long[0].model_copy(update={"name": "of.the." + "x." * 40 + "y"})
    assert len({names.cron_job_name(one) for one in long}) == 2
    for one in (*long, dotted):
        assert len(names.cron_job_name(one)) <= 52
        assert len(names.job_name("backup", one)) <= 63
        assert "." not in names.job_name("restore", one) + names.cron_job_name(one)
        assert len(names.labels(names.BACKUP_LABEL, one.name)[names.BACKUP_LABEL]) <= 63
    same = long[0].model_copy(update={"uid": "another"})
    assert names.job_name("backup", same) != names.job_name("backup", long[0])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read"),
        ("a: b: c", "no YAML"),
        ("[]", "no spec"),
        ("spec: {containers: [{name: other}]}", "no container 'mailraven'"),
        ("spec: {containers: 5}", "no container 'mailraven'"),
        ("spec: {containers: [x]}", "no container 'mailraven'"),
    ],
)
def test_a_template_that_is_none(text: str | None, words: str, tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(Problem, match=words) as caught:
        read_template(file)
    assert caught.value.reason == "JobTemplateInvalid"
    with pytest.raises(Problem, match="MAILRAVEN_OPERATOR_JOB_TEMPLATE"):
        read_template(None)
