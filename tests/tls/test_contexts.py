"""Server contexts: versions, suites, and what is said about bad files."""

import datetime as dt
import shutil
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

from mailraven.tls import CIPHERS, TlsContexts, TlsError
from mailraven.tls.selfsigned import CertificateFiles, ensure_self_signed

NAMES = ["mx.example.test", "localhost", "127.0.0.1", "::1"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> CertificateFiles:
    return ensure_self_signed(tmp_path_factory.mktemp("tls"), NAMES, dt.datetime.now(dt.UTC))


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> tuple[str | None, str]:
    """Version and suite."""
    ours, theirs = socket.socketpair()

    def serve() -> None:
        try:
            with server.wrap_socket(theirs, server_side=True) as wrapped:
                wrapped.recv(1)
        except OSError:
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(ours, server_hostname=name) as wrapped:
            suite = wrapped.cipher()
            wrapped.send(b"x")
            return wrapped.version(), suite[0] if suite else ""
    finally:
        ours.close()
        thread.join()


def test_only_the_six_suites_and_tls_1_3(files: CertificateFiles) -> None:
    context = TlsContexts(files.cert_file, files.key_file).server_context()
    names = [cipher["name"] for cipher in context.get_ciphers()]
    assert [name for name in names if not name.startswith("TLS_")] == list(CIPHERS)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("name", NAMES)
def test_a_client_that_trusts_the_authority_connects_by_every_name(
    files: CertificateFiles, version: ssl.TLSVersion, name: str
) -> None:
    client = ssl.create_default_context(cafile=str(files.ca_file))
    client.minimum_version = client.maximum_version = version
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    server = TlsContexts(files.cert_file, files.key_file).server_context()
    assert handshake(server, client, name)[0] == version.name.replace("_", ".")


def test_another_name_or_suite_is_refused(files: CertificateFiles) -> None:
    server = TlsContexts(files.cert_file, files.key_file).server_context()
    client = ssl.create_default_context(cafile=str(files.ca_file))
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server, client, "other.example")
    weak = ssl.create_default_context(cafile=str(files.ca_file))
    weak.maximum_version = ssl.TLSVersion.TLSv1_2
    weak.set_ciphers("AES256-GCM-SHA384:ECDHE-ECDSA-AES256-SHA384")
    with pytest.raises(OSError, match=r"(?i)handshake|reset|eof"):
        handshake(server, weak, "localhost")


def test_tls_1_1_is_refused(files: CertificateFiles) -> None:
    server = TlsContexts(files.cert_file, files.key_file).server_context()
    old = ssl.create_default_context(cafile=str(files.ca_file))
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("DEFAULT@SECLEVEL=0")
    with pytest.raises(OSError, match=r"(?i)protocol|handshake|reset|eof|version"):
        handshake(server, old, "localhost")


def test_bad_files_are_named(files: CertificateFiles, tmp_path: Path) -> None:
    def problem(cert: Path, key: Path) -> str:
        with pytest.raises(TlsError) as caught:
            TlsContexts(cert, key)
        return str(caught.value)

    text = tmp_path / "text"
    text.write_text("hello\n")
    other = ensure_self_signed(tmp_path / "other", ["localhost"], dt.datetime.now(dt.UTC))
    assert (
        problem(tmp_path / "none", files.key_file) == f"{tmp_path / 'none'}: cannot be read: No such file or directory"
    )
    assert problem(files.cert_file, tmp_path) == f"{tmp_path}: cannot be read: Is a directory"
    assert f"{text}: expected a certificate in PEM" in problem(text, files.key_file)
    assert f"{text}: expected a private key in PEM" in problem(files.cert_file, text)
    assert "does not belong to the certificate" in problem(files.cert_file, other.key_file)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_a_key_with_a_pass_phrase_is_refused_without_asking(files: CertificateFiles, tmp_path: Path) -> None:
    locked = tmp_path / "locked.pem"
    command = ["openssl", "pkcs8", "-topk8", "-in", files.key_file, "-out", locked, "-passout", "pass:secret"]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    with pytest.raises(TlsError, match="pass phrase"):
        TlsContexts(files.cert_file, locked)
