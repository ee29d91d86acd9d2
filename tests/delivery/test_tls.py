"""Opportunistic STARTTLS: used where it works, never a reason not to deliver (RFC 7435, RFC 3207)."""

import datetime as dt
import ssl
from pathlib import Path

import pytest

from mailraven.tls.selfsigned import ensure_self_signed


@pytest.fixture
def server_tls(tmp_path: Path) -> ssl.SSLContext:
    files = ensure_self_signed(tmp_path / "tls", ["another.name.test"], dt.datetime.now(dt.UTC))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert_file, files.key_file)
    return context


async def test_encrypted_where_offered_whatever_the_certificate(site, server_tls):
    remote = await site.far(tls=server_tls)
    await site.start()
    await site.send("bob@far.test")
    await site.ends("delivered")
    assert remote.transactions[0].tls
    assert remote.commands.count("EHLO mail.ours.test") == 2
    assert remote.connections == 1


async def test_what_was_offered_before_tls_does_not_count_inside(site, server_tls):
    """RFC 3207 §4.2: the extensions are asked for again."""
    remote = await site.far(tls=server_tls, extensions=())
    await site.start()
    await site.send("bob@far.test")
    await site.ends("delivered")
    assert "MAIL FROM:<alice@ours.test>" in remote.commands


@pytest.mark.parametrize("reply", [b"454 4.7.0 not now", b"500 what", b""], ids=["454", "500", "drop"])
async def test_refused_starttls_is_followed_by_plain(site, server_tls, reply: bytes):
    remote = await site.far({"starttls": [reply]}, tls=server_tls)
    await site.start()
    await site.send("bob@far.test")
    await site.ends("delivered")
    assert not remote.transactions[0].tls
    assert remote.connections == 2


async def test_failed_handshake_is_followed_by_plain_on_a_new_connection(site, server_tls):
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # has no certificate: no handshake can succeed
    remote = await site.far(tls=old)
    await site.start()
    await site.send("bob@far.test")
    await site.ends("delivered")
    assert not remote.transactions[0].tls
    assert remote.connections == 2
