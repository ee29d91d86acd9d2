"""A certificate authority of one's own and a server certificate by it (RFC 5280), for `mailraven up`."""

import datetime as dt
import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mailraven.tls.errors import TlsError

_CA_LIFETIME = dt.timedelta(days=3650)
_LIFETIME = dt.timedelta(days=397)
_RENEW_BEFORE = dt.timedelta(days=30)
_CLOCK_SKEW = dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """Where the certificate, its key and the authority to trust are."""

    cert_file: Path
    key_file: Path
    ca_file: Path


def ensure_self_signed(directory: Path, names: Sequence[str], now: dt.datetime) -> CertificateFiles:
    """Files in `directory` that hold for `names`; made anew when missing, soon over or for other names."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    files = CertificateFiles(directory / "cert.pem", directory / "key.pem", directory / "ca.pem")
    ca_key_file = directory / "ca-key.pem"
    try:
        if not _is_current(files, ca_key_file, names, now):
            _make(files, ca_key_file, names, now)
    except OSError as error:
        raise TlsError(f"{error.filename or directory}: {error.strerror}") from None
    return files


def _is_current(files: CertificateFiles, ca_key_file: Path, names: Sequence[str], now: dt.datetime) -> bool:
    if not all(path.exists() for path in (files.cert_file, files.key_file, files.ca_file, ca_key_file)):
        return False
    try:
        certificate = x509.load_pem_x509_certificate(files.cert_file.read_bytes())
        authority = x509.load_pem_x509_certificate(files.ca_file.read_bytes())
        key = serialization.load_pem_private_key(files.key_file.read_bytes(), password=None)
        certificate.verify_directly_issued_by(authority)
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    fresh = now + _RENEW_BEFORE < certificate.not_valid_after_utc
    return fresh and key.public_key() == certificate.public_key() and set(found) == set(_alternative_names(names))


def make_self_signed(names: Sequence[str], now: dt.datetime) -> tuple[bytes, bytes]:
    """A chain and its key in PEM, of an authority that is forgotten at once: for a server that has nothing better."""
    ca, ca_key = _make_authority(now)
    certificate, key = _issue(ca, ca_key, names, now)
    return _cert_pem(certificate) + _cert_pem(ca), _key_pem(key)


def _make(files: CertificateFiles, ca_key_file: Path, names: Sequence[str], now: dt.datetime) -> None:
    authority = _load_authority(files.ca_file, ca_key_file, now)
    if authority is None:
        authority = _make_authority(now)
        _write(ca_key_file, _key_pem(authority[1]), 0o600)
        _write(files.ca_file, _cert_pem(authority[0]), 0o644)
    certificate, key = _issue(*authority, names, now)
    _write(files.key_file, _key_pem(key), 0o600)
    _write(files.cert_file, _cert_pem(certificate) + _cert_pem(authority[0]), 0o644)


def _issue(
    ca: x509.Certificate, ca_key: ec.EllipticCurvePrivateKey, names: Sequence[str], now: dt.datetime
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(names[0][:64], ca.subject, key.public_key(), now, _LIFETIME)
        .add_extension(x509.SubjectAlternativeName(_alternative_names(names)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    return certificate, key


def _load_authority(
    ca_file: Path, ca_key_file: Path, now: dt.datetime
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None:
    """The authority that clients may already trust, unless it ends before a new certificate would."""
    if not (ca_file.exists() and ca_key_file.exists()):
        return None
    try:
        ca = x509.load_pem_x509_certificate(ca_file.read_bytes())
        key = serialization.load_pem_private_key(ca_key_file.read_bytes(), password=None)
    except (ValueError, TypeError):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or ca.not_valid_after_utc < now + _LIFETIME:
        return None
    return (ca, key) if ca.public_key() == key.public_key() else None


def _make_authority(now: dt.datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "MailRaven local authority")])
    certificate = (
        _builder("MailRaven local authority", subject, key.public_key(), now, _CA_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate, key


def _builder(
    name: str,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    now: dt.datetime,
    lifetime: dt.timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + lifetime)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative_names(names: Sequence[str]) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = []
    for name in dict.fromkeys(names):
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name))
    return found


def _cert_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, data: bytes, mode: int) -> None:
    """Whole or not at all, and never readable by others on the way."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.chmod(mode)
    temporary.rename(path)
