"""Whatever a client sends, in whatever state: proper replies or a close, no bug of ours, others unharmed."""

from __future__ import annotations

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

WORDS = st.sampled_from(
    [
        b"EHLO c.example\r\n",
        b"HELO c\r\n",
        b"MAIL FROM:<a@b.example>\r\n",
        b"MAIL FROM:<> SIZE=10 BODY=8BITMIME\r\n",
        b"RCPT TO:<jane@example.org>\r\n",
        b"RCPT TO:<nobody@example.org>\r\n",
        b"RCPT TO:<x@foreign.example>\r\n",
        b"DATA\r\n",
        b".\r\n",
        b"\r\n.\r\n",
        b"RSET\r\n",
        b"NOOP\r\n",
        b"VRFY x\r\n",
        b"STARTTLS\r\n",
        b"AUTH PLAIN\r\n",
        b"AUTH PLAIN AGEAYg==\r\n",
        b"*\r\n",
        b"\r",
        b"\n",
        b"\0",
        b"<",
        b">",
        b"\xff",
    ]
)
STREAM = st.lists(st.one_of(WORDS, st.binary(max_size=30)), max_size=40)


async def test_random_streams(mx, submission):
    streams: list[list[bytes]] = []

    @settings(max_examples=80, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(STREAM)
    def collect(stream: list[bytes]) -> None:
        streams.append(stream)

    collect()
    with capture_logs() as logs:
        for number, stream in enumerate(streams):
            daemon = mx if number % 2 else submission
            async with await daemon.connect() as client:
                try:
                    for piece in stream:
                        await client.send(piece)
                        if number % 3 == 0:
                            await asyncio.sleep(0)
                    client.half_close()
                except (ConnectionError, OSError):
                    pass
                for line in (await client.closed()).split(b"\r\n"):
                    assert not line or (line[:3].isdigit() and line[3:4] in b" -"), line
    assert [line for line in logs if line["event"] == "command failed"] == []
    for daemon in (mx, submission):
        assert daemon.server.budget.used == 0
        async with await daemon.greeted() as client:
            await client.expect("NOOP", "250 2.0.0")
