"""`mailraven serve` without certificate files: self-signed at first, then what the store has, at once."""

import asyncio
import contextlib
import datetime as dt
import imaplib
import json
import smtplib
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from cryptography import x509
from pydantic import SecretStr

from mailraven.certificates import check_upload, put_certificate
from mailraven.config import SecretsConfig
from mailraven.sealing import Sealer, new_master_key
from mailraven.testing.authority import Authority
from mailraven.testing.command_line import ENVIRONMENT, MAILRAVEN, get, wait_for

HOSTNAME = "mx.example.test"


def answers(url: str) -> int:
    try:
        return get(url)[0]
    except OSError:
        return 0


def settings(dsn: str, home: Path, *names: str) -> tuple[dict[str, str], dict[str, int]]:
    """Variables and ports."""
    with contextlib.ExitStack() as stack:
        probes = {name: stack.enter_context(socket.create_server(("127.0.0.1", 0))) for name in names}
        ports: dict[str, int] = {name: probe.getsockname()[1] for name, probe in probes.items()}
    variables = {f"MAILRAVEN_LISTENERS__{name.upper()}__PORT": str(port) for name, port in ports.items()}
    variables |= {f"MAILRAVEN_LISTENERS__{name.upper()}__HOST": "127.0.0.1" for name in names}
    return variables | {"MAILRAVEN_DATABASE__URL": dsn, "MAILRAVEN_BLOBS__DIRECTORY": str(home / "blobs")}, ports


@pytest.fixture
def master_key() -> str:
    return new_master_key()


@pytest.fixture
def serving(tmp_path: Path, dsn: str, master_key: str) -> Iterator[tuple[dict[str, int], Path]]:
    """Ports and the log of a server with the roles mx and imap."""
    variables, ports = settings(dsn, tmp_path, "mx", "imap", "imaps", "ops")
    variables |= {"MAILRAVEN_HOSTNAME": HOSTNAME, "MAILRAVEN_SECRETS__KEY": master_key}
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [MAILRAVEN, "serve", "mx", "imap"], env={**ENVIRONMENT, **variables}, stdout=output, stderr=output
        )
    try:
        wait_for(lambda: answers(f"http://127.0.0.1:{ports['ops']}/readyz") == 200, "/readyz", 30)
        yield ports, log
    finally:
        process.terminate()
        assert process.wait(40) == 0, log.read_text()


def over_imaps(port: int) -> x509.Certificate:
    return x509.load_pem_x509_certificate(ssl.get_server_certificate(("127.0.0.1", port), timeout=20).encode())


def over_starttls(port: int) -> x509.Certificate:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as smtp:
        smtp.starttls(context=context)
        assert isinstance(smtp.sock, ssl.SSLSocket)
        der = smtp.sock.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der)


def test_self_signed_until_there_is_one_in_the_store(
    serving: tuple[dict[str, int], Path], dsn: str, master_key: str
) -> None:
    ports, log = serving
    first = over_imaps(ports["imaps"])
    assert over_starttls(ports["mx"]).serial_number == first.serial_number
    names = first.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [HOSTNAME]
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["hostname"] for line in lines if line["message"] == "certificate_self_signed"] == [HOSTNAME]

    issued = Authority().issue(HOSTNAME)
    asyncio.run(store(dsn, Sealer.of(SecretsConfig(key=SecretStr(master_key))), issued.chain, issued.private_key))
    wait_for(lambda: over_imaps(ports["imaps"]) == issued.certificate, "the certificate of the store", 2)
    assert over_starttls(ports["mx"]) == issued.certificate
    metrics = get(f"http://127.0.0.1:{ports['ops']}/metrics")[1].decode()
    assert 'mailraven_certificate_days_left{component="tls"} 89.' in metrics


def test_fifty_swaps_and_no_handshake_fails(serving: tuple[dict[str, int], Path], dsn: str, master_key: str) -> None:
    """Clients over STARTTLS and implicit TLS all the while; each new certificate is there within 2 s."""
    ports, log = serving
    sealer, authority = Sealer.of(SecretsConfig(key=SecretStr(master_key))), Authority()
    stop, failures, done = threading.Event(), list[str](), [0, 0]

    def load(number: int) -> None:
        while not stop.is_set():
            try:
                (over_imap_starttls if number else over_imaps)(ports["imap" if number else "imaps"])
            except Exception as error:
                failures.append(repr(error))
            done[number] += 1

    threads = [threading.Thread(target=load, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(50):
            issued = authority.issue(HOSTNAME)
            asyncio.run(store(dsn, sealer, issued.chain, issued.private_key))
            begin = time.monotonic()
            while over_imaps(ports["imaps"]) != issued.certificate:
                assert time.monotonic() - begin < 2, "the new certificate is not there"
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert min(done) > 20
    assert "Traceback" not in log.read_text()


def over_imap_starttls(port: int) -> x509.Certificate:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with imaplib.IMAP4("127.0.0.1", port, timeout=20) as imap:
        imap.starttls(context)
        assert isinstance(imap.sock, ssl.SSLSocket)
        der = imap.sock.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der)


async def store(dsn: str, sealer: Sealer, chain: str, key: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            await put_certificate(connection, sealer, "main", check_upload(chain, key, dt.datetime.now(dt.UTC)))
    finally:
        await connection.close()
