"""Stopping, killing and starting `mailraven up` again."""

import os
import re
import signal
import smtplib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailraven.testing.command_line import Instance, get, run, started, wait_for
from mailraven.testing.running import family


def test_a_second_start_finds_the_mail_and_knows_no_password(tmp_path: Path) -> None:
    with started(tmp_path, "--workers", "1") as first:
        alice = first.ready["users"][0]["address"]
        authority = Path(first.ready["ca_file"]).read_bytes()
        with smtplib.SMTP(first.ready["smtp"]["host"], first.ready["smtp"]["port"], timeout=30) as smtp:
            smtp.sendmail("x@example.com", [alice], "Subject: kept\r\n\r\nbody\r\n")
    assert first.process.returncode == 0
    used = run("user", "list", "--data", str(tmp_path / "data")).stdout  # starts its own Postgres meanwhile
    assert int(used.split()[1]) > 10
    with started(tmp_path, "--workers", "1") as second:
        assert second.ready["users"][0] == {"address": alice, "password": None}
        assert second.ready["admin_token"] == first.ready["admin_token"]
        assert Path(second.ready["ca_file"]).read_bytes() == authority
        assert "password" not in second.output.read_text()


def test_sigterm_ends_sessions_politely_and_transactions_are_finished(tmp_path: Path) -> None:
    with started(tmp_path, "--workers", "1") as instance:
        address = (instance.ready["smtp"]["host"], instance.ready["smtp"]["port"])
        with (
            socket.create_connection(address, timeout=30) as idle,
            smtplib.SMTP(*address, timeout=30) as busy,
            socket.create_connection((instance.ready["imap"]["host"], instance.ready["imap"]["port"])) as imap,
        ):
            imap.settimeout(30)
            lines, responses = idle.makefile("rb"), imap.makefile("rb")
            assert lines.readline().startswith(b"220")
            assert responses.readline().startswith(b"* OK")
            busy.ehlo()
            busy.mail("x@example.com")
            busy.rcpt(instance.ready["users"][0]["address"])
            busy.putcmd("data")
            assert busy.getreply()[0] == 354
            instance.process.send_signal(signal.SIGTERM)
            assert lines.readline().startswith(b"421")
            assert responses.readline().startswith(b"* BYE")
            wait_for(lambda: refuses(address), "the listener to close")
            busy.send(b"Subject: late\r\n\r\nfinished\r\n.\r\n")
            assert busy.getreply()[0] == 250
            assert busy.getreply()[0] == 421
            busy.close()
        assert instance.process.wait(40) == 0
    assert not family(instance.process.pid) - {instance.process.pid}


def refuses(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=5).close()
    except OSError:
        return True
    return False


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    with started(tmp_path, "--workers", "1") as instance:
        address = (instance.ready["smtp"]["host"], instance.ready["smtp"]["port"])
        with smtplib.SMTP(*address, timeout=30) as busy:
            busy.ehlo()
            busy.mail("x@example.com")
            busy.rcpt(instance.ready["users"][0]["address"])
            busy.putcmd("data")
            busy.getreply()
            instance.process.send_signal(signal.SIGINT)
            wait_for(lambda: refuses(address), "the listener to close")
            instance.process.send_signal(signal.SIGINT)
            instance.process.wait(10)
            busy.close()


@pytest.fixture(scope="module")
def survivor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """Its parts are killed, it goes on."""
    settings = ("--set", "health.interval=200ms", "--set", "health.stall_timeout=8s")
    with started(tmp_path_factory.mktemp("survivor"), "--workers", "2", *settings) as instance:
        yield instance
        assert instance.stop() == 0


def restarts(instance: Instance) -> float:
    found = re.search(r"(?m)^mailraven_worker_restarts_total (\S+)", get(instance.ops + "/metrics")[1].decode())
    return float(found[1]) if found else 0.0


def is_replaced(instance: Instance, before: list[int]) -> None:
    wait_for(lambda: len(set(instance.workers()) - set(before)) == 1, "a new worker")
    assert before[1] in instance.workers()
    wait_for(lambda: all(get(instance.ops + "/readyz")[0] == 200 for _ in range(8)), "both to be ready")


def test_a_killed_worker_is_replaced(survivor: Instance) -> None:
    before, count = survivor.workers(), restarts(survivor)
    assert len(before) == 2
    os.kill(before[0], signal.SIGKILL)
    is_replaced(survivor, before)
    assert restarts(survivor) == count + 1
    assert "worker died" in survivor.log.read_text()


def test_a_stalled_worker_is_replaced(survivor: Instance) -> None:
    before = survivor.workers()
    os.kill(before[0], signal.SIGSTOP)
    wait_for(lambda: before[0] not in survivor.workers(), "the stalled one to be killed")
    is_replaced(survivor, before)


def test_a_killed_postgres_is_started_again(survivor: Instance) -> None:
    [postmaster] = survivor.postgres()
    os.kill(postmaster, signal.SIGKILL)

    codes = set()

    def delivered() -> bool:
        with smtplib.SMTP(survivor.ready["smtp"]["host"], survivor.ready["smtp"]["port"], timeout=30) as smtp:
            smtp.ehlo()
            smtp.mail("x@example.com")
            code, _ = smtp.rcpt("bob@example.test")
            if code == 250:
                code, _ = smtp.data("Subject: after\r\n\r\nbody\r\n")
            codes.add(code)
        return code == 250

    wait_for(lambda: survivor.postgres() not in ([], [postmaster]), "a new Postgres")
    wait_for(delivered, "mail to be taken again")
    assert codes <= {250, 451}  # meanwhile the sender is asked to come again
    assert len(survivor.workers()) == 2


def test_kill_9_of_the_supervisor_takes_everything_along_and_a_new_start_works(tmp_path: Path) -> None:
    members: set[int] = set()
    for _ in range(2):
        instance = Instance(tmp_path, "--workers", "2").wait_ready()
        members |= family(instance.process.pid) - {instance.process.pid}
        instance.process.kill()
        instance.process.wait()
        instance.ready_file.unlink()  # a killed program leaves it
    assert len(members) >= 6
    with started(tmp_path, "--workers", "1") as again:
        assert again.ready["users"][0]["password"] is None
    wait_for(lambda: not [pid for pid in members if Path(f"/proc/{pid}").exists()], "the old processes to end")


def test_a_worker_that_cannot_start_ends_the_program(tmp_path: Path) -> None:
    garbage = tmp_path / "cert.pem"
    garbage.write_text("not a certificate\n")
    (tmp_path / "key.pem").write_text("not a key\n")
    settings = ("--set", f"tls.cert_file={garbage}", "--set", f"tls.key_file={tmp_path / 'key.pem'}")
    done = run("up", "--data", str(tmp_path / "d"), "--port-base", "0", *settings, code=1)
    assert f"{garbage}: expected a certificate in PEM" in done.stderr


def test_a_signal_during_the_start_leaves_nothing_behind(tmp_path: Path) -> None:
    lock = tmp_path / "data" / ".lock"
    for number in (signal.SIGTERM, signal.SIGINT):
        lock.unlink(missing_ok=True)
        instance = Instance(tmp_path, "--workers", "1")
        wait_for(lock.exists, "the start to begin")
        instance.process.send_signal(number)
        instance.process.wait(30)
        wait_for(lambda: not postgres_runs(tmp_path / "data"), "Postgres to end")
    with started(tmp_path, "--workers", "1"):
        pass


def postgres_runs(data: Path) -> bool:
    try:
        pid = int((data / "postgres" / "postmaster.pid").read_text().split("\n")[0])
    except (OSError, ValueError):
        return False
    return Path(f"/proc/{pid}").exists()
