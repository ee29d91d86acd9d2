"""Runs a function in a forked process and brings back its result: the supervisor itself stays small and has
neither threads nor an event loop, so that it may fork workers at any time.
"""

import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

from mailraven.app.errors import StartError


def run_in_child(function: Callable[[], Any], expected: tuple[type[Exception], ...]) -> Any:
    """The JSON value that `function` returned. Raises StartError with the text of an `expected` error."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        _run(function, expected, reading, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(pid, 0)
    if status != 0 or not answer:
        raise StartError("the preparation of the start failed; see the messages above")
    result = json.loads(answer)
    if "error" in result:
        raise StartError(result["error"])
    return result["value"]


def _run(function: Callable[[], Any], expected: tuple[type[Exception], ...], reading: int, writing: int) -> None:
    code = 1
    try:
        os.close(reading)
        try:
            answer = {"value": function()}
        except expected as error:
            answer = {"error": str(error) or type(error).__name__}
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(json.dumps(answer).encode())
        code = 0
    except BaseException:  # noqa: BLE001 - nothing may reach the frames of the parent
        traceback.print_exc(file=sys.stderr)
    finally:
        sys.stderr.flush()
        os._exit(code)
