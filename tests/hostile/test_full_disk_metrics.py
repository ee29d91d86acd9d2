"""Metrics of several workers on a full disk: a mapped hole in a file would be SIGBUS, the end of the worker."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNSHARE = ["unshare", "--map-root-user", "--mount"]
SCRIPT = """
import json, os, subprocess, sys
from pathlib import Path

disk = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], check=True)
from mailraven.telemetry import multiprocess

multiprocess.prepare(disk / "metrics")
from prometheus_client import Counter, Gauge, generate_latest

before = Counter("before_total", "made while there was room", ["key"])
before.labels("a").inc()
with (disk / "filler").open("wb", buffering=0) as filler:
    try:
        while filler.write(b"x" * 4096):
            pass
    except OSError:
        pass
assert os.statvfs(disk).f_bavail == 0
for number in range(2000):  # grows the file of the counters several times
    before.labels(str(number)).inc(2)
after = Gauge("after", "made on the full disk")
after.set(3)
seen = generate_latest(multiprocess.registry()).decode()
last = before.labels("1999")._value.get()
print(json.dumps({"gauge": after._value.get(), "last": last, "a": 'before_total{key="a"} 1.0' in seen}))
"""


def test_a_full_disk_does_not_kill_who_counts(tmp_path: Path) -> None:
    if shutil.which("unshare") is None or subprocess.run([*UNSHARE, "true"], check=False).returncode:
        pytest.skip("no mount namespaces here")
    done = subprocess.run(
        [*UNSHARE, sys.executable, "-c", SCRIPT, tmp_path], capture_output=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]  # was -7, SIGBUS
    assert json.loads(done.stdout) == {"gauge": 3.0, "last": 2.0, "a": True}
