"""The choice of a context by server name, the bounded number of contexts, and hostile names (RFC 6066 §3)."""

import datetime as dt
import ssl
import sys

import pytest
from structlog.testing import capture_logs

from mailraven.app.worker import _log_unraisable
from mailraven.testing.authority import Authority
from mailraven.tls import PemPair, TlsContexts, TlsError
from mailraven.tls.selfsigned import make_self_signed


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def pair_of(authority: Authority, *names: str) -> PemPair:
    issued = authority.issue(*names)
    return PemPair(names[0], issued.chain.encode(), issued.private_key.encode())


@pytest.fixture(scope="module")
def default() -> PemPair:
    return PemPair("default", *make_self_signed(["mx.example.test"], dt.datetime.now(dt.UTC)))


def test_contexts_are_made_once_kept_in_bounds_and_forgotten_with_their_pairs(
    authority: Authority, default: PemPair
) -> None:
    contexts = TlsContexts(kept=2)
    names = {name: (pair_of(authority, name),) for name in ("a.test", "b.test", "c.test", "*.d.test")}
    contexts.use(names, [default])
    first = contexts.context_for("a.test")
    assert contexts.context_for("A.Test.") is first
    contexts.context_for("b.test")
    assert contexts.context_for("a.test") is first
    contexts.context_for("c.test")  # b.test was used longest ago
    assert contexts.context_for("a.test") is first
    assert contexts.context_for("x.d.test") is contexts.context_for("y.d.test")
    fallback = contexts.context_for(None)
    for other in ("", "d.test", "x.y.d.test", "*.d.test.x", "test", "." * 300, "e.test"):
        assert contexts.context_for(other) is fallback
    kept = contexts.context_for("a.test")
    contexts.use({"a.test": names["a.test"]}, [default])
    assert contexts.context_for("a.test") is kept
    assert contexts.context_for(None) is fallback
    contexts.use({}, [default])
    assert contexts.context_for("a.test") is fallback
    contexts.use(names, [default])
    assert contexts.context_for("a.test") is not kept


def test_a_default_that_cannot_be_used_changes_nothing(authority: Authority, default: PemPair) -> None:
    contexts = TlsContexts()
    with pytest.raises(TlsError, match="no certificate yet"):
        contexts.context_for(None)
    contexts.use({}, [default])
    before = contexts.context_for(None)
    mixed = PemPair("mixed", default.chain, authority.issue("a.test").private_key.encode())
    with pytest.raises(TlsError, match="mixed: the private key does not belong"):
        contexts.use({"a.test": (default,)}, [mixed])
    assert contexts.context_for(None) is before
    assert contexts.context_for("a.test") is before


def test_one_that_cannot_be_used_is_said_once(authority: Authority, default: PemPair) -> None:
    contexts = TlsContexts()
    mixed = PemPair("mixed", default.chain, authority.issue("a.test").private_key.encode())
    contexts.use({"a.test": (mixed,)}, [default])
    with capture_logs() as logs:
        for _ in range(3):
            assert contexts.context_for("a.test") is contexts.context_for(None)
    assert [entry["event"] for entry in logs] == ["certificate_unusable"]
    assert default.key.decode() not in str(logs) + repr(mixed)


@pytest.mark.parametrize("name", [b"mx.exampl\xff.test", b"mx.exampl\0.test", b"." * 15, b"mx.exampl\n.test"])
def test_hostile_names(default: PemPair, name: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The handshake fails or goes on with the default; nothing is raised elsewhere or logged."""
    monkeypatch.setattr(sys, "unraisablehook", _log_unraisable)
    contexts = TlsContexts()
    contexts.use({}, [default])
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    sent = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        client.wrap_bio(ssl.MemoryBIO(), sent, server_hostname="mx.example.test").do_handshake()
    hello = sent.read()
    assert b"mx.example.test" in hello
    received = ssl.MemoryBIO()
    server = contexts.server_context().wrap_bio(received, ssl.MemoryBIO(), server_side=True)
    received.write(hello.replace(b"mx.example.test", name))
    with capture_logs() as logs, pytest.raises(ssl.SSLError):
        server.do_handshake()
    assert logs == []
