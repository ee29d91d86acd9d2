"""Server contexts: TLS 1.2 with six ECDHE suites, and TLS 1.3 (RFC 8314 §4, RFC 9325 §4.2)."""

import ssl
from pathlib import Path

from mailraven.tls.errors import TlsError

CIPHERS = (
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
)


class TlsContexts:
    """The contexts of a process, shared by all of its listeners."""

    def __init__(self, cert_file: Path, key_file: Path) -> None:
        self._server = _server_context(cert_file, key_file)

    def server_context(self) -> ssl.SSLContext:
        """For STARTTLS and implicit TLS alike."""
        return self._server


def _server_context(cert_file: Path, key_file: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(":".join(CIPHERS))
    # RFC 9325 §3.3, §3.5: neither compression nor renegotiation.
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.num_tickets = 1  # a mail client keeps its connections; the default of 2 only costs octets
    for path in (cert_file, key_file):
        _check_readable(path)
    try:
        context.load_cert_chain(cert_file, key_file, password=_refuse_pass_phrase)
    except ssl.SSLError as error:
        raise TlsError(_explain(error, cert_file, key_file)) from None
    return context


def _check_readable(path: Path) -> None:
    try:
        with path.open("rb"):
            return
    except OSError as error:
        raise TlsError(f"{path}: cannot be read: {error.strerror}") from None


def _refuse_pass_phrase() -> str:
    # Without this OpenSSL would ask on the terminal and wait.
    raise TlsError("the private key has a pass phrase; expected one without")


def _explain(error: ssl.SSLError, cert_file: Path, key_file: Path) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"{key_file}: the private key does not belong to the certificate in {cert_file}"
    if b"-----BEGIN CERTIFICATE-----" not in cert_file.read_bytes():
        return f"{cert_file}: expected a certificate in PEM (-----BEGIN CERTIFICATE-----)"
    if b"PRIVATE KEY-----" not in key_file.read_bytes():
        return f"{key_file}: expected a private key in PEM (-----BEGIN PRIVATE KEY-----)"
    return f"{cert_file}, {key_file}: not a usable certificate and key: {error.reason or error}"
