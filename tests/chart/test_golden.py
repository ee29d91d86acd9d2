"""What a change of the chart changes is to be seen in the files of tests/chart/golden and in manifests/install.yaml."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_the_rendered_files_are_those_of_the_chart() -> None:
    if shutil.which("helm") is None:
        pytest.skip("helm is not installed")
    done = subprocess.run(
        [ROOT / "scripts" / "manifests.sh", "--check"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
