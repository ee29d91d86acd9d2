"""Delivery to servers of others: a real Postfix, and aiosmtpd as it comes."""

import asyncio
import datetime as dt
import email
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, Envelope

from mailraven.testing import postfix
from mailraven.testing.postfix import Postfix, running_postfix
from mailraven.tls.selfsigned import ensure_self_signed

BODY = (
    b"From: alice@ours.test\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\nMessage-ID: <1@ours.test>\r\n"
    b"Subject: to a peer\r\n\r\n.dots\r\n..\r\n.\r\nand more \xc3\xbc\r\n"
)


@pytest.fixture
def peer() -> Iterator[Postfix]:
    if reason := postfix.missing():
        pytest.skip(reason)
    directory = Path(tempfile.mkdtemp(prefix="mr-cert-"))
    files = ensure_self_signed(directory / "tls", ["postfix.test"], dt.datetime.now(dt.UTC))
    try:
        with running_postfix(
            users=["bob@far.test", "zoe@far.test", "żaba@far.test"],
            certificate=(files.cert_file, files.key_file),
        ) as running:
            yield running
    finally:
        shutil.rmtree(directory)


@pytest.mark.clients
async def test_postfix_takes_our_mail_over_tls(site, peer: Postfix, eventually):
    site.port = peer.port
    site.dns.add_zone("far.test", "@ MX 10 mx\nmx A 127.0.0.1")
    await site.start()
    await site.send("bob@far.test", "zoe@far.test", "nobody@far.test", raw=BODY, eight_bit=True)
    row = await site.ends("delivered", "bob@far.test", timeout=30)
    assert row["last_status"] == "2.0.0"
    assert "queued as" in row["last_reply"]
    await site.ends("delivered", "zoe@far.test")
    failed = await site.ends("failed", "nobody@far.test")
    assert failed["last_status"] == "5.1.1"

    async def arrived() -> bool:
        return bool(peer.mail_for("bob@far.test") and peer.mail_for("zoe@far.test"))

    await eventually(arrived, 30, peer.log)
    (got,) = peer.mail_for("bob@far.test")
    assert got.endswith(BODY.replace(b"\r\n", b"\n"))
    message = email.message_from_bytes(got)
    assert message["Return-Path"] == "<alice@ours.test>"
    assert "from mail.ours.test" in message["Received"]
    assert "with ESMTPS" in message["Received"]
    (notice,) = await site.inbox()
    assert b"Final-Recipient: rfc822; nobody@far.test\r\n" in notice


@pytest.mark.clients
async def test_postfix_takes_internationalized_mail(site, peer: Postfix, eventually):
    site.port = peer.port
    site.dns.add_zone("far.test", "@ MX 10 mx\nmx A 127.0.0.1")
    await site.start()
    await site.send("żaba@far.test", raw="Subject: grüße\r\n\r\n.\r\n".encode(), smtputf8=True, eight_bit=True)
    await site.ends("delivered", "żaba@far.test", timeout=30)

    async def arrived() -> bool:
        return bool(peer.mail_for("żaba@far.test"))

    await eventually(arrived, 30, peer.log)


class _Keep:
    """A handler of aiosmtpd."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []

    async def handle_DATA(self, _server, _session, envelope: Envelope) -> str:
        self.envelopes.append(envelope)
        return "250 2.0.0 kept"


async def test_aiosmtpd_as_it_comes(site):
    handler = _Keep()
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(handler, hostname="other.test", enable_SMTPUTF8=True), "127.0.0.1", 0
    )
    site.port = server.sockets[0].getsockname()[1]
    site.dns.add_zone("far.test", "@ MX 10 mx\nmx A 127.0.0.1")
    try:
        await site.start()
        await site.send("bob@far.test", raw=BODY, eight_bit=True)
        await site.ends("delivered")
    finally:
        server.close()
        await server.wait_closed()
    (envelope,) = handler.envelopes
    assert envelope.content == BODY
    assert (envelope.mail_from, envelope.rcpt_tos) == ("alice@ours.test", ["bob@far.test"])
