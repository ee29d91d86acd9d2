"""An authority, a sealer, and what a client sees."""

import ssl
from collections.abc import Callable

import pytest
from cryptography import x509

from mailraven.sealing import Sealer
from mailraven.testing.authority import Authority, pem


@pytest.fixture(scope="session")
def authority() -> Authority:
    """One for the session."""
    return Authority()


@pytest.fixture
def sealer() -> Sealer:
    """With a key of its own."""
    return Sealer([bytes(32)])


@pytest.fixture
def client(authority: Authority) -> ssl.SSLContext:
    """Trusts the authority's root only."""
    context = ssl.create_default_context(cadata=pem(authority.root))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


@pytest.fixture
def serial_seen() -> Callable[[ssl.SSLContext, str | None], str]:
    """The serial number that a handshake in memory shows to a client that asks for this name."""

    def see(server: ssl.SSLContext, name: str | None, suites: str | None = None) -> str:
        looking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        looking.check_hostname = False
        looking.verify_mode = ssl.CERT_NONE
        if suites is not None:
            looking.maximum_version = ssl.TLSVersion.TLSv1_2
            looking.set_ciphers(suites)
        ours_in, ours_out = ssl.MemoryBIO(), ssl.MemoryBIO()
        ours = looking.wrap_bio(ours_in, ours_out, server_hostname=name)
        theirs = server.wrap_bio(ours_out, ours_in, server_side=True)
        for _ in range(10):
            done = 0
            for side in (ours, theirs):
                try:
                    side.do_handshake()
                    done += 1
                except ssl.SSLWantReadError:
                    pass
            if done == 2:
                break
        der = ours.getpeercert(binary_form=True)
        assert der is not None
        return f"{x509.load_der_x509_certificate(der).serial_number:x}"

    return see
