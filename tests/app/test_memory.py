"""What a process keeps of the memory that password hashes took."""

import subprocess
import sys

import pytest

_PROGRAM = """
import asyncio, sys
from pathlib import Path
from mailraven.app.memory import return_large_blocks
from mailraven.directory import Passwords

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4 // 1024

async def main():
    passwords = Passwords(threads=2)
    before = resident()
    await asyncio.gather(*(passwords.verify(None, "some password") for _ in range(8)))
    print(resident() - before)
    passwords.close()

if sys.argv[1] == "yes" and not return_large_blocks():
    print("not here")
else:
    asyncio.run(main())
"""


def _kept(measure: str) -> str:
    done = subprocess.run([sys.executable, "-c", _PROGRAM, measure], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.skipif(sys.platform != "linux", reason="statm is Linux's")
def test_hashes_leave_nothing_behind() -> None:
    kept = _kept("yes")
    if kept == "not here":
        pytest.skip("a C library without mallopt")
    assert int(kept) < 5
    assert int(_kept("no")) > int(kept)  # else the measure is not needed any more
