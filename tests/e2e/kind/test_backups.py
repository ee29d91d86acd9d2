"""A schedule fires, its archive is on S3 and verified; a Restore brings a deleted mailbox back."""

import contextlib
import imaplib
import time
import uuid
from collections.abc import Callable

from mailraven.testing.cluster import Cluster, until
from mailraven.testing.traffic import Address, Traffic, open_mailbox, subjects


def test_a_schedule_a_deleted_mailbox_and_a_restore(
    town, cluster: Cluster, address: Callable[[str], Address], document, figures
) -> None:
    town.settle("ann")
    ann = town.people["ann"]
    with Traffic(address("smtp"), address("imaps"), [ann], name="kept") as traffic:
        until(lambda: traffic.acknowledged() >= 20, "mail", 60)
    assert traffic.settle().missing == ()
    before = sorted(subjects(address("imaps"), ann))

    name = f"s{uuid.uuid4().hex[:6]}"
    target = {"s3": {"bucket": "mailraven-backups", "prefix": name}}
    begin = time.monotonic()
    cluster.apply(document("BackupSchedule", name, {"schedule": "0 3 * * *", "immediate": True, "target": target}))
    try:
        cluster.wait_ready("backupschedule", name, 60)
        until(lambda: cluster.get("backupschedule", name)["status"].get("lastSuccessTime"), "a backup", 120)
        figures("BackupSchedule applied until the archive is on S3, read back", f"{time.monotonic() - begin:.0f} s")

        client = open_mailbox(address("imaps"), ann)
        client.store("1:*", "+FLAGS", "\\Deleted")
        client.expunge()
        with contextlib.suppress(imaplib.IMAP4.error):
            client.logout()
        assert subjects(address("imaps"), ann) == []

        begin = time.monotonic()
        restore = {"target": target, "account": ann.address, "mode": "merge"}
        cluster.apply(document("Restore", name, restore))
        until(lambda: cluster.get("restore", name).get("status", {}).get("phase") == "Succeeded", "the restore", 120)
        assert sorted(subjects(address("imaps"), ann)) == before
        figures(f"Restore of {len(before)} deleted messages", f"{time.monotonic() - begin:.0f} s")
    finally:
        cluster.kubectl("delete", "backupschedule,restore", name, "--ignore-not-found")


def test_a_schedule_that_fires_by_the_clock(cluster: Cluster, document, figures) -> None:
    name = f"c{uuid.uuid4().hex[:6]}"
    target = {"s3": {"bucket": "mailraven-backups", "prefix": name}}
    cluster.apply(document("BackupSchedule", name, {"schedule": "* * * * *", "target": target}))
    try:
        status = until(
            lambda: (found := cluster.get("backupschedule", name).get("status", {})).get("lastSuccessTime") and found,
            "a backup by the clock",
            150,
        )
        assert status["lastScheduleTime"] <= status["lastSuccessTime"]
    finally:
        cluster.kubectl("delete", "backupschedule", name)


def test_a_backup_by_itself_and_what_is_not_there(cluster: Cluster, document) -> None:
    def phase(name: str) -> str:
        return cluster.get("backup", name).get("status", {}).get("phase", "")

    name = f"b{uuid.uuid4().hex[:6]}"
    cluster.apply(
        document("Backup", name, {"target": {"s3": {"bucket": "mailraven-backups", "prefix": name}}}),
        document("Backup", f"{name}-bad", {"target": {"s3": {"bucket": "no-such-bucket"}}}),
    )
    try:
        until(lambda: cluster.get("backup", name).get("status", {}).get("phase") == "Succeeded", "the backup", 120)
        failed = until(
            lambda: (
                (found := cluster.get("backup", f"{name}-bad").get("status", {})).get("phase") == "Failed" and found
            ),
            "the failure",
            180,
        )
        assert "no-such-bucket" in failed["error"]
    finally:
        cluster.kubectl("delete", "backup", name, f"{name}-bad")
