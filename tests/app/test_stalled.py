"""A worker that stands still is replaced; when everything stood still, nobody is."""

import os
import signal
import socket
import time
from pathlib import Path

from mailraven.testing.running import RunningServer

STALL = 5.0


def greets(server: RunningServer) -> bool:
    with socket.create_connection(server.address("smtp"), timeout=30) as client:
        return client.recv(3) == b"220"


def test_after_a_pause_of_the_whole_program_the_workers_are_the_same(tmp_path: Path) -> None:
    with RunningServer(tmp_path, workers=1, settings={"health.stall_timeout": f"{STALL:.0f}s"}) as server:
        before = server.worker_pids()
        everybody = [server.pid, *before]
        for pid in everybody:
            os.kill(pid, signal.SIGSTOP)
        resumed = time.monotonic() + STALL + 1.5
        while time.monotonic() < resumed:
            time.sleep(0.1)
        os.kill(server.pid, signal.SIGCONT)  # the worst order: it looks before the workers can speak
        looked = time.monotonic() + 1.5
        while time.monotonic() < looked:
            assert server.worker_pids() == before
            time.sleep(0.1)
        for pid in before:
            os.kill(pid, signal.SIGCONT)
        assert greets(server)
        assert server.worker_pids() == before
        assert "worker stalled" not in server.log.read_text(encoding="utf-8")
