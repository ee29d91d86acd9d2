"""Functions in a process of their own."""

import os
import subprocess
import sys

import pytest

from mailraven.app.child import Child
from mailraven.app.errors import StartError


def test_a_value_comes_back() -> None:
    assert Child(lambda: {"pid": os.getpid()}, ()).result()["pid"] != os.getpid()


def test_the_text_of_an_expected_error_comes_back() -> None:
    def fail() -> None:
        raise LookupError("nothing there")

    with pytest.raises(StartError, match=r"^nothing there$"):
        Child(fail, (LookupError,)).result()


def test_another_error_keeps_its_trace_on_stderr() -> None:
    code = (
        "from mailraven.app.child import Child\nfrom mailraven.app.errors import StartError\n"
        "try: Child(lambda: 1 / 0, ()).result()\nexcept StartError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "ZeroDivisionError" in done.stderr
    assert "see the messages above" in done.stdout


def test_a_killed_child_is_an_error() -> None:
    with pytest.raises(StartError):
        Child(lambda: os.kill(os.getpid(), 9), ()).result()
