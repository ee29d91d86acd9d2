"""Metric names and labels, and their sum over workers."""

import re
import subprocess
import sys
from pathlib import Path

from prometheus_client import Counter, Gauge, Histogram

import mailraven
from mailraven.telemetry import metrics

ALLOWED_LABELS = {
    "action", "channel", "command", "component", "direction", "event", "listener", "operation", "protocol", "reason",
    "result", "role", "route", "scope", "state", "status",
}  # fmt: skip

WORKERS = """
import os, sys
from pathlib import Path
from mailraven.telemetry import multiprocess
directory = Path(sys.argv[1])
slot = multiprocess.prepare(directory)
from mailraven.telemetry import metrics

def worker(number, count):
    pid = os.fork()
    if pid == 0:
        slot.number = number
        for _ in range(count):
            metrics.SMTP_MESSAGES.labels("accepted", "mx").inc()
            metrics.INTAKE_BATCH.observe(3)
        metrics.IMAP_SESSIONS.set(count)
        metrics.QUEUE_DEPTH.labels("queued").set(count)
        os._exit(0)
    os.waitpid(pid, 0)

def value(text, name):
    return [float(line.split()[-1]) for line in text.splitlines() if line.startswith(name)]

render = multiprocess.exposition()
worker(1, 5); worker(2, 7)
text = render().decode()
assert value(text, "mailraven_smtp_messages_total") == [12.0], text
assert value(text, "mailraven_intake_batch_messages_count") == [12.0]
assert value(text, "mailraven_imap_sessions") == [12.0]
assert value(text, "mailraven_queue_recipients") == [7.0]  # all read one table: the latest, not the sum

multiprocess.bury(directory, 1)
text = render().decode()
assert value(text, "mailraven_smtp_messages_total") == [12.0]  # a counter never falls
assert value(text, "mailraven_imap_sessions") == [7.0]  # its connections are gone

files = len(list(directory.glob("*.db")))
for _ in range(5):
    worker(1, 1)
    multiprocess.bury(directory, 1)
text = render().decode()
assert value(text, "mailraven_smtp_messages_total") == [17.0]
assert len(list(directory.glob("*.db"))) <= files + 1  # a restarted worker takes over the files
"""


def test_workers_add_up_and_a_dead_one_takes_only_its_gauges_along(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", WORKERS, str(tmp_path / "metrics")], check=True, timeout=60)


def test_prepare_after_the_metrics_is_refused(tmp_path: Path) -> None:
    code = (
        "import pathlib\nfrom mailraven.telemetry import metrics, multiprocess\n"
        f"try: multiprocess.prepare(pathlib.Path({str(tmp_path)!r}))\nexcept RuntimeError: print('refused')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60)
    assert done.stdout == b"refused\n"


def test_every_metric_is_measured_somewhere() -> None:
    package = Path(mailraven.__file__).parent
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for path in package.rglob("*.py")
        if not path.is_relative_to(package / "telemetry")
    )
    names = [name for name, item in vars(metrics).items() if isinstance(item, (Counter, Gauge, Histogram))]
    assert [name for name in names if not re.search(rf"\b{name}\b", code)] == []


def test_names_are_ours_and_labels_are_closed_sets() -> None:
    found = [item for item in vars(metrics).values() if isinstance(item, (Counter, Gauge, Histogram))]
    assert len(found) > 15
    for metric in found:
        assert metric._name.startswith("mailraven_")
        assert set(metric._labelnames) <= ALLOWED_LABELS
