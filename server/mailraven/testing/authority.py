"""A certificate authority for tests: a root, an intermediate, and server certificates of every kind, good or bad."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate with its key; `issuers` from the one that signed it upwards, without the root."""

    certificate: x509.Certificate
    key: Key
    issuers: tuple[x509.Certificate, ...] = ()

    @property
    def chain(self) -> str:
        """PEM, leaf first."""
        return "".join(pem(certificate) for certificate in (self.certificate, *self.issuers))

    @property
    def private_key(self) -> str:
        """PEM, PKCS #8."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode("ascii")

    @property
    def serial(self) -> str:
        """Hex, as the store has it."""
        return f"{self.certificate.serial_number:x}"

    def write(self, cert_file: Path, key_file: Path) -> None:
        """As files of the settings."""
        cert_file.write_text(self.chain)
        key_file.write_text(self.private_key)


@dataclass(slots=True)
class Authority:
    """`Authority().issue("mx.example.test")`; a client that trusts `root` accepts what it gives."""

    now: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))
    root: x509.Certificate = field(init=False)
    intermediate: x509.Certificate = field(init=False)
    _root_key: Key = field(init=False)
    _key: Key = field(init=False)

    def __post_init__(self) -> None:
        self._root_key, self._key = make_key("ecdsa-p256"), make_key("ecdsa-p256")
        self.root = self._sign(("Test root",), self._root_key, None, self._root_key, ca=True)
        self.intermediate = self._sign(("Test intermediate",), self._key, self.root, self._root_key, ca=True)

    def issue(
        self,
        *names: str,
        kind: str = "ecdsa-p256",
        key: Key | None = None,
        not_before: dt.datetime | None = None,
        not_after: dt.datetime | None = None,
        usages: Sequence[ObjectIdentifier] | None = (ExtendedKeyUsageOID.SERVER_AUTH,),
        signs: bool = True,
    ) -> Issued:
        """For these DNS names, by the intermediate. `usages` None: without extendedKeyUsage."""
        key = key or make_key(kind)
        certificate = self._sign(
            names,
            key,
            self.intermediate,
            self._key,
            not_before=not_before,
            not_after=not_after,
            usages=usages,
            signs=signs,
        )
        return Issued(certificate, key, (self.intermediate,))

    def _sign(
        self,
        names: Sequence[str],
        key: Key,
        issuer: x509.Certificate | None,
        issuer_key: Key,
        *,
        ca: bool = False,
        not_before: dt.datetime | None = None,
        not_after: dt.datetime | None = None,
        usages: Sequence[ObjectIdentifier] | None = None,
        signs: bool = True,
    ) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64] if names else "nobody")])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if issuer is None else issuer.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(not_before or self.now - _DAY)
            .not_valid_after(not_after or self.now + 90 * _DAY)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(_key_usage(ca=ca, signs=signs), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        )
        if names and not ca:
            alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
            builder = builder.add_extension(alternative, critical=False)
        if usages is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        return builder.sign(issuer_key, hashes.SHA256())


def make_key(kind: str) -> Key:
    """ "rsa-2048", "ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "ed25519"; RSA keys are made once a session: slow."""
    algorithm, _, size = kind.partition("-")
    if algorithm == "rsa":
        return _rsa_key(int(size))
    if algorithm == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    curves: dict[str, ec.EllipticCurve] = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1()}
    return ec.generate_private_key(curves[size])


@functools.cache
def _rsa_key(size: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=size)


def pem(certificate: x509.Certificate) -> str:
    """As text."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def _key_usage(*, ca: bool, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signs,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=not signs,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
