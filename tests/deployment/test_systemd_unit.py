"""The unit has the hardening that docs/single-host.md promises, and systemd can read it."""

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "systemd" / "mailraven.service"
WANTED = {
    "User": "mailraven",
    "Restart": "always",
    "RestartSec": "10",
    "NoNewPrivileges": "true",
    "PrivateTmp": "true",
    "ProtectSystem": "strict",
    "ProtectHome": "true",
    "ReadWritePaths": "/var/lib/mailraven",
    "StateDirectoryMode": "0700",
    "UMask": "0077",
    "AmbientCapabilities": "CAP_NET_BIND_SERVICE",
    "CapabilityBoundingSet": "CAP_NET_BIND_SERVICE",
    "LimitNOFILE": "65536",
    "LimitNPROC": "4096",
    "MemoryMax": "4G",
    "CPUQuota": "200%",
}


def test_the_unit_has_the_hardening_of_the_documents() -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(UNIT)
    assert {name: unit["Service"][name] for name in WANTED} == WANTED


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_understands_every_line(tmp_path: Path) -> None:
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/opt/mailraven/bin/mailraven", shutil.which("true") or "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
