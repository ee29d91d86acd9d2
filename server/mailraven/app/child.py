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


class Child:
    """A function that is running in a process of its own; ask for result() once."""

    def __init__(self, function: Callable[[], Any], expected: tuple[type[Exception], ...]) -> None:
        """`function` returns a JSON value; the text of an `expected` error is all that is told of it."""
        self._reading, writing = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            _run(function, expected, self._reading, writing)
        os.close(writing)

    def result(self) -> Any:
        """Waits for the function's value. Raises StartError."""
        with os.fdopen(self._reading, "rb") as pipe:
            answer = pipe.read()
        _, status = os.waitpid(self._pid, 0)
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
