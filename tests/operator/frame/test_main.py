"""The program `mailraven-operator`."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import structlog

from mailraven_operator import logs

_PROGRAM = "from mailraven_operator.main import main; main()"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("MAILRAVEN_OPERATOR_", "KUBE"))}
    return subprocess.run(
        [sys.executable, "-c", _PROGRAM, *arguments],
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_it_tells_its_version() -> None:
    assert run("--version").stdout.strip()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("MAILRAVEN_OPERATOR_SERVER_URL", "nowhere", "MAILRAVEN_OPERATOR_SERVER_URL: "),
        ("MAILRAVEN_OPERATOR_CONCURRENCY", "0", "MAILRAVEN_OPERATOR_CONCURRENCY: "),
        ("MAILRAVEN_OPERATOR_NAMESPACE", "No_Name", "MAILRAVEN_OPERATOR_NAMESPACE: "),
        ("POD_NAMESPACE", "No_Name", "NAMESPACE: "),
        ("MAILRAVEN_OPERATOR_SERVER_URL", "http://a:s3cret@b", "a token belongs into token_file"),
    ],
)
def test_wrong_settings_end_it_with_a_line(name: str, value: str, said: str) -> None:
    ended = run("check", **{name: value})
    assert ended.returncode == 2
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "s3cret" not in ended.stderr


def test_good_settings_are_silent() -> None:
    ended = run("check")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_without_a_cluster_it_ends_with_a_line(tmp_path: Path) -> None:
    ended = run("run", HOME=str(tmp_path))
    assert ended.returncode == 1
    assert "KUBECONFIG" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_line_of_the_log_cannot_be_forged(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level, logging.raiseExceptions, logging.getLogger("kopf").level
    try:
        logs.configure("info", "json")
        structlog.get_logger(component="test").info("happened", name='x"\n{"level": "error"}\x1b')
    finally:
        structlog.reset_defaults()
        root.handlers[:], logging.raiseExceptions = before[0], before[2]
        root.setLevel(before[1])
        logging.getLogger("kopf").setLevel(before[3])
    (line,) = capsys.readouterr().out.splitlines()
    document = json.loads(line)
    assert list(document)[:4] == ["timestamp", "level", "component", "message"]
    assert document["message"] == "happened"
    assert "\x1b" not in line
