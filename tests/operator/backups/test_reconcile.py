"""The three kinds on a real API server; the ends of Jobs are played."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from mailraven.testing.kube_apiserver import MERGE, KubeError

from .conftest import Backstage, condition

TARGET = {"s3": {"bucket": "backups", "prefix": "mail"}}
RESULT = {"ok": True, "name": "20261121T020000.000000Z-ab", "messages": 12, "bytes": 3400, "added_bytes": 900,
          "verified": True}  # fmt: skip


async def test_a_schedule_is_a_cron_job_and_drift_is_repaired(backstage: Backstage) -> None:
    backstage.make("BackupSchedule", "nightly", schedule="0 2 * * *", target=TARGET, timeZone="Europe/Berlin")
    status = await backstage.look("BackupSchedule", "nightly")
    assert condition(status)[:2] == ("True", "Reconciled")
    assert [one["type"] for one in status["conditions"]] == ["CronJobReady", "LastBackupSucceeded", "Ready"]
    assert status["nextScheduleTime"].endswith(":00:00Z")
    assert status["active"] == 0
    (made,) = backstage.batch("cronjobs")
    assert made["metadata"]["name"] == "backup-nightly"
    assert made["spec"]["timeZone"] == "Europe/Berlin"
    # Nothing changes: nothing is written.
    version = backstage.see("BackupSchedule", "nightly")["metadata"]["resourceVersion"]
    await backstage.look("BackupSchedule", "nightly")
    assert backstage.see("BackupSchedule", "nightly")["metadata"]["resourceVersion"] == version
    assert backstage.batch("cronjobs") == [made]
    # By hand.
    path = f"/apis/batch/v1/namespaces/{backstage.namespace}/cronjobs/backup-nightly"
    backstage.api.request("PATCH", path, {"spec": {"schedule": "1 1 * * *", "suspend": True}}, content_type=MERGE)
    await backstage.look("BackupSchedule", "nightly")
    assert backstage.batch("cronjobs")[0]["spec"] == made["spec"]
    backstage.delete("cronjobs", "backup-nightly")
    await backstage.look("BackupSchedule", "nightly")
    assert backstage.batch("cronjobs")[0]["spec"] == made["spec"]
    # By the resource, and back: what is left out goes from the CronJob too.
    for zone in (None, "UTC"):
        patch = {"spec": {"timeZone": zone, "suspend": True, "startingDeadlineSeconds": 100 if zone else None}}
        backstage.api.request("PATCH", backstage.path("BackupSchedule", "nightly"), patch, content_type=MERGE)
        status = await backstage.look("BackupSchedule", "nightly")
        assert backstage.batch("cronjobs")[0]["spec"].get("timeZone") == zone
        assert "nextScheduleTime" not in status
        assert condition(status, "CronJobReady")[1] == "Suspended"
    assert backstage.batch("cronjobs")[0]["spec"]["startingDeadlineSeconds"] == 100


async def test_a_backup_at_once_is_made_once(backstage: Backstage) -> None:
    backstage.make("BackupSchedule", "nightly", schedule="0 2 * * *", target=TARGET, immediate=True)
    status = await backstage.look("BackupSchedule", "nightly")
    (job,) = backstage.batch("jobs")
    assert status["active"] == 1
    assert status["lastScheduleTime"] == job["metadata"]["creationTimestamp"]
    backstage.player.end(job, 0, json.dumps(RESULT))
    status = await backstage.look("BackupSchedule", "nightly")
    assert (status["active"], status["lastBackup"]["messages"]) == (0, 12)
    assert status["lastBackup"]["completedAt"] == status["lastSuccessTime"]
    assert condition(status, "LastBackupSucceeded")[:2] == ("True", "Succeeded")
    backstage.delete("jobs", job["metadata"]["name"])
    again = await backstage.look("BackupSchedule", "nightly")
    assert again == status
    assert backstage.batch("jobs") == []
    assert backstage.events() == ["BackupSucceeded", "Reconciled"]


async def test_a_schedule_tells_of_the_jobs_of_its_cron_job_only(backstage: Backstage) -> None:
    backstage.make("BackupSchedule", "nightly", schedule="0 2 * * *", target=TARGET)
    await backstage.look("BackupSchedule", "nightly")
    (made,) = backstage.batch("cronjobs")
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": "backup-nightly", "uid": made["metadata"]["uid"]}
    for name, owners in (("backup-nightly-1", [owner | {"controller": True}]), ("by-hand", [])):
        metadata = {"name": name, "labels": made["metadata"]["labels"], "ownerReferences": owners}
        path = f"/apis/batch/v1/namespaces/{backstage.namespace}/jobs"
        backstage.api.request("POST", path, {"metadata": metadata, "spec": made["spec"]["jobTemplate"]["spec"]})
    by_hand, scheduled = sorted(backstage.batch("jobs"), key=lambda one: one["metadata"]["name"], reverse=True)[:2]
    backstage.player.end(by_hand, 0, json.dumps(RESULT))
    backstage.player.end(scheduled, 1, json.dumps({"ok": False, "reason": "WrongKey", "error": "key file: no"}))
    status = await backstage.look("BackupSchedule", "nightly")
    assert status["lastError"] == "key file: no"
    assert condition(status, "LastBackupSucceeded")[:2] == ("False", "WrongKey")
    assert condition(status)[0] == "True"
    assert "BackupFailed" in backstage.events()


async def test_what_a_schedule_looks_at(backstage: Backstage) -> None:
    backstage.make("BackupSchedule", "nightly", schedule="0 2 * * *", target=TARGET,
                   encryption={"secretRef": {"name": "backup-key"}})  # fmt: skip
    backstage.see("BackupSchedule", "nightly")
    kind, namespace = backstage.reconcilers["BackupSchedule"].kind, backstage.namespace
    for other, name, expected in (
        ("Job", "any", True),
        ("CronJob", "any", True),
        ("Secret", "backup-key", True),
        ("Secret", "other", False),
        ("MailUser", "ann", False),
    ):
        assert list(kind.touched_by(backstage.world, other, (namespace, name))) == [(namespace, "nightly")] * expected
        assert list(kind.touched_by(backstage.world, other, ("elsewhere", name))) == []


async def test_a_cron_job_of_somebody_else_is_left_alone(backstage: Backstage) -> None:
    backstage.make("BackupSchedule", "nightly", schedule="0 2 * * *", target=TARGET)
    await backstage.look("BackupSchedule", "nightly")
    (made,) = backstage.batch("cronjobs")
    backstage.delete("cronjobs", "backup-nightly")
    foreign = {"metadata": {"name": "backup-nightly"}, "spec": made["spec"] | {"schedule": "5 5 * * *"}}
    backstage.api.request("POST", f"/apis/batch/v1/namespaces/{backstage.namespace}/cronjobs", foreign)
    status = await backstage.look("BackupSchedule", "nightly")
    assert condition(status)[:2] == ("False", "Conflict")
    assert condition(status, "CronJobReady")[:2] == ("False", "Conflict")
    assert backstage.batch("cronjobs")[0]["spec"]["schedule"] == "5 5 * * *"


async def test_a_schedule_that_is_made_again_takes_over_what_the_first_left(backstage: Backstage) -> None:
    # Nobody collects garbage here, as for a moment in a cluster.
    for schedule in ("0 2 * * *", "0 3 * * *"):
        backstage.make("BackupSchedule", "nightly", schedule=schedule, target=TARGET)
        status = await backstage.look("BackupSchedule", "nightly")
        assert condition(status)[0] == "True"
        (made,) = backstage.batch("cronjobs")
        resource = backstage.see("BackupSchedule", "nightly")
        assert [one["uid"] for one in made["metadata"]["ownerReferences"]] == [resource["metadata"]["uid"]]
        assert made["spec"]["schedule"] == schedule
        backstage.api.request("DELETE", backstage.path("BackupSchedule", "nightly"))
        backstage.world.drop("BackupSchedule", (backstage.namespace, "nightly"), resource["metadata"]["uid"])


@pytest.mark.parametrize(
    ("spec", "reason", "message"),
    [
        ({"schedule": "0 2 * * 9"}, "InvalidSpec", "spec.schedule: day of the week: 9 is not from 0 to 6"),
        ({"timeZone": "Nowhere/Land"}, "InvalidSpec", "Nowhere/Land"),
        ({"target": {"s3": {"bucket": "backups", "prefix": "a/../b"}}}, "InvalidSpec", "spec.target.s3.prefix"),
        ({"encryption": {"secretRef": {"name": "none"}}}, "SecretNotFound", "there is no Secret none"),
        ({"encryption": {"secretRef": {"name": "there", "key": "other"}}}, "SecretNotFound", "has no key other"),
    ],
)
async def test_what_cannot_be_scheduled(
    spec: dict[str, object], reason: str, message: str, backstage: Backstage
) -> None:
    backstage.secret("there", key="x")
    backstage.make("BackupSchedule", "nightly", **({"schedule": "0 2 * * *", "target": TARGET} | spec))
    status = await backstage.look("BackupSchedule", "nightly")
    assert condition(status)[:2] == ("False", reason)
    assert message in condition(status)[2]
    assert condition(status, "CronJobReady")[:2] == ("False", reason)
    assert backstage.batch("cronjobs") == []


async def test_a_backup_is_run_once(backstage: Backstage) -> None:
    backstage.make("Backup", "now", target=TARGET)
    status = await backstage.look("Backup", "now")
    assert (status["phase"], condition(status)[:2]) == ("Pending", ("Unknown", "Pending"))
    (job,) = backstage.batch("jobs")
    assert status["jobName"] == job["metadata"]["name"]
    assert (await backstage.again("Backup", "now")).after == 15
    backstage.player.end(job, 0, json.dumps(RESULT))
    status = await backstage.look("Backup", "now")
    assert (status["phase"], status["backupName"], status["messages"]) == ("Succeeded", RESULT["name"], 12)
    assert (status["bytes"], status["addedBytes"], status["verified"]) == (3400, 900, True)
    assert condition(status)[0] == condition(status, "Complete")[0] == "True"
    # Its Job goes by time, hours pass: the same, without a write.
    backstage.delete("jobs", job["metadata"]["name"])
    backstage.later = timedelta(days=2)
    version = backstage.see("Backup", "now")["metadata"]["resourceVersion"]
    assert await backstage.look("Backup", "now") == status
    assert backstage.see("Backup", "now")["metadata"]["resourceVersion"] == version
    assert backstage.batch("jobs") == []


async def test_a_backup_whose_job_is_deleted_is_not_run_again(backstage: Backstage) -> None:
    backstage.make("Backup", "now", target=TARGET)
    await backstage.look("Backup", "now")
    backstage.delete("jobs", backstage.batch("jobs")[0]["metadata"]["name"])
    status = await backstage.look("Backup", "now")
    assert (status["phase"], condition(status)[1]) == ("Failed", "JobGone")
    assert backstage.batch("jobs") == []


async def test_a_backup_that_was_started_but_not_noted_goes_on(backstage: Backstage) -> None:
    backstage.make("Backup", "now", target=TARGET)
    await backstage.look("Backup", "now")
    # As after a crash between the Job and the status.
    path = backstage.path("Backup", "now") + "/status"
    backstage.api.request("PATCH", path, {"status": {"phase": None, "jobName": None}}, content_type=MERGE)
    status = await backstage.look("Backup", "now")
    assert status["jobName"] == backstage.batch("jobs")[0]["metadata"]["name"]
    assert len(backstage.batch("jobs")) == 1


async def test_a_backup_that_failed(backstage: Backstage) -> None:
    backstage.make("Backup", "now", target=TARGET)
    await backstage.look("Backup", "now")
    backstage.player.end(backstage.batch("jobs")[0], 137, "", reason="OOMKilled")
    status = await backstage.look("Backup", "now")
    assert (status["phase"], status["error"]) == ("Failed", "the container took more memory than it may")
    assert condition(status)[:2] == ("False", "OOMKilled")
    assert condition(status, "Failed")[:2] == ("True", "OOMKilled")


async def test_a_backup_waits_for_its_secret(backstage: Backstage) -> None:
    backstage.make("Backup", "now", target=TARGET, encryption={"secretRef": {"name": "backup-key"}})
    status = await backstage.look("Backup", "now")
    assert (status["phase"], condition(status)[:2]) == ("Pending", ("False", "SecretNotFound"))
    key = (backstage.namespace, "now")
    kind = backstage.reconcilers["Backup"].kind
    assert list(kind.touched_by(backstage.world, "Secret", (backstage.namespace, "backup-key"))) == [key]
    backstage.secret("backup-key", key="x")
    status = await backstage.look("Backup", "now")
    assert condition(status)[1] == "Pending"
    assert list(kind.touched_by(backstage.world, "Job", (backstage.namespace, "any"))) == [key]
    assert list(kind.touched_by(backstage.world, "Job", ("elsewhere", "any"))) == []


async def test_a_restore_waits_for_its_backup(backstage: Backstage) -> None:
    backstage.make("Restore", "back", backupRef={"name": "now"}, account="ann@example.test", mode="merge")
    assert condition(await backstage.look("Restore", "back"))[:2] == ("False", "BackupNotFound")
    backstage.make("Backup", "now", target=TARGET)
    await backstage.look("Backup", "now")
    assert condition(await backstage.look("Restore", "back"))[:2] == ("False", "BackupNotReady")
    backstage.player.end(backstage.batch("jobs")[0], 0, json.dumps(RESULT))
    await backstage.look("Backup", "now")
    kind = backstage.reconcilers["Restore"].kind
    touched = kind.touched_by(backstage.world, "Backup", (backstage.namespace, "now"))
    assert list(touched) == [(backstage.namespace, "back")]
    assert (await backstage.look("Restore", "back"))["phase"] == "Pending"
    job = next(one for one in backstage.batch("jobs") if one["metadata"]["name"].startswith("restore-back-"))
    assert f"--at={RESULT['name']}" in job["spec"]["template"]["spec"]["containers"][0]["args"]
    result = {"ok": True, "backup": RESULT["name"], "messages": 3, "present": 9, "accounts_made": 0,
              "accounts_filled": 1, "dry_run": False}  # fmt: skip
    backstage.player.end(job, 0, json.dumps(result))
    status = await backstage.look("Restore", "back")
    assert (status["phase"], status["backupName"]) == ("Succeeded", RESULT["name"])
    assert (status["messages"], status["skipped"], status["accounts"]) == (3, 9, 1)


async def test_elsewhere_nothing_is_run(backstage: Backstage) -> None:
    other = backstage.api.make_namespace(f"{backstage.namespace}-other")
    specs = {
        "BackupSchedule": {"schedule": "0 2 * * *", "target": TARGET},
        "Backup": {"target": TARGET},
        "Restore": {"target": TARGET},
    }
    for kind, spec in specs.items():
        backstage.make(kind, "one", other, **spec)
        status = await backstage.look(kind, "one", other)
        assert condition(status)[:2] == ("False", "NamespaceNotAllowed")
    for plural in ("jobs", "cronjobs"):
        assert backstage.api.request("GET", f"/apis/batch/v1/namespaces/{other}/{plural}")["items"] == []


async def test_without_a_template_it_says_so(backstage: Backstage) -> None:
    backstage.template.write_text("spec: {containers: []}")
    backstage.make("Backup", "now", target=TARGET)
    assert condition(await backstage.look("Backup", "now"))[:2] == ("False", "JobTemplateInvalid")


async def test_specs_of_what_runs_once_do_not_change(backstage: Backstage) -> None:
    backstage.make("Backup", "now", target=TARGET)
    patch = {"spec": {"target": {"s3": {"prefix": "other"}}}}
    with pytest.raises(KubeError, match="spec does not change"):
        backstage.api.request("PATCH", backstage.path("Backup", "now"), patch, content_type=MERGE)
