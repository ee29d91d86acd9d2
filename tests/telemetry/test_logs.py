"""Log lines: their form, and what hostile values can do to them. Each run is a process: logging is configured once."""

import json
import subprocess
import sys

import pytest

HOSTILE = 'x\r\n{"level": "error", "message": "forged"}\n\x1b[31m\x00\x9b\u2028\u2029\x85end'


def run(code: str, **configure: str) -> str:
    script = f"""
import structlog, logging
from mailraven.telemetry import logs
logs.configure(**{configure!r})
log = structlog.get_logger(component="test")
hostile = {HOSTILE!r}
{code}
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60, check=True)
    return (done.stderr if configure.get("output") == "stderr" else done.stdout).decode()


def test_a_json_line_has_time_level_component_and_message_first() -> None:
    line = run("log.info('hello', request_id='abc')")
    entry = json.loads(line)
    assert list(entry)[:4] == ["timestamp", "level", "component", "message"]
    assert (entry["level"], entry["component"], entry["message"], entry["request_id"]) == (
        "info",
        "test",
        "hello",
        "abc",
    )
    assert entry["timestamp"].endswith("Z")


@pytest.mark.parametrize("fmt", ["json", "console"])
def test_no_value_key_or_message_can_forge_a_line(fmt: str) -> None:
    text = run("log.info(hostile, value=hostile, raw=hostile.encode('utf-8', 'replace'))", fmt=fmt)
    assert len(text.splitlines()) == 1
    assert not set(text.rstrip("\n")) & {chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))}


def test_a_trace_stays_in_its_entry() -> None:
    entry = json.loads(run("try: 1 / 0\nexcept ZeroDivisionError: log.exception('failed')"))
    assert "ZeroDivisionError" in entry["exception"]
    assert (entry["level"], entry["message"]) == ("error", "failed")


def test_a_trace_shows_no_local_variables() -> None:
    code = (
        "def f():\n    password = 'hunter2'\n    raise ValueError\ntry: f()\nexcept ValueError: log.exception('failed')"
    )
    for fmt in ("json", "console"):
        assert "'hunter2'" not in run(code, fmt=fmt).replace("password = 'hunter2'", "")


def test_what_is_below_the_level_is_not_written() -> None:
    assert run("log.debug('no'); log.info('no'); log.warning('yes')", level="warning").count("\n") == 1


def test_the_standard_library_goes_the_same_way() -> None:
    entry = json.loads(run("logging.getLogger('some.library').warning('%s happened', 'this')", output="stderr"))
    assert (entry["component"], entry["level"], entry["message"]) == ("some.library", "warning", "this happened")


def test_a_log_that_cannot_be_written_breaks_nothing() -> None:
    code = "import sys; sys.stdout.close(); log.info('gone'); print('alive', file=sys.stderr)"
    assert "alive" in run(f"import os; os.dup2(1, 9)\n{code}\nos.write(9, b'alive')")


def test_context_is_in_every_line() -> None:
    code = "with structlog.contextvars.bound_contextvars(request_id='r1'): log.info('a')"
    assert json.loads(run(code))["request_id"] == "r1"
