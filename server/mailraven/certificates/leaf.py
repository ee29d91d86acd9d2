"""What the server's own certificate has to say: DNS names and its purpose (RFC 5280 §4.2.1, RFC 9525 §6.3)."""

from __future__ import annotations

import re

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from mailraven.certificates.errors import InvalidCertificate

_NAMES_MAX = 250
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
# RFC 9525 §6.3: a wildcard is the whole leftmost label, and something is left below it.
_NAME = re.compile(rf"(?=.{{1,253}}\Z)(\*\.{_LABEL}\.)?{_LABEL}(\.{_LABEL})*")


def dns_names(leaf: x509.Certificate) -> tuple[str, ...]:
    """Of the extension subjectAltName: clients look at nothing else (RFC 9525 §2). Raises InvalidCertificate."""
    try:
        alternative = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found = alternative.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        found = []
    except ValueError as error:
        raise InvalidCertificate(f"chain: certificate 1: its extensions cannot be read: {error}") from None
    names = tuple(dict.fromkeys(name.lower().rstrip(".") for name in found))
    if not names:
        raise InvalidCertificate("chain: certificate 1 has no DNS names (subjectAltName): no client would accept it")
    if len(names) > _NAMES_MAX:
        raise InvalidCertificate(f"chain: certificate 1 has {len(names)} DNS names; expected at most {_NAMES_MAX}")
    for name in names:
        if not _NAME.fullmatch(name):
            raise InvalidCertificate(f"chain: certificate 1: {name[:80]!r} is not a DNS name")
    return names


def check_purpose(leaf: x509.Certificate) -> None:
    """It may authenticate a server. Raises InvalidCertificate."""
    try:
        extensions = leaf.extensions
    except ValueError as error:
        raise InvalidCertificate(f"chain: certificate 1: its extensions cannot be read: {error}") from None
    for extension in extensions:
        value = extension.value
        if isinstance(value, x509.ExtendedKeyUsage):
            if not {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & set(value):
                raise InvalidCertificate("chain: certificate 1 is not meant for servers (extendedKeyUsage serverAuth)")
        elif isinstance(value, x509.KeyUsage) and not value.digital_signature:
            # RFC 8446 §4.4.2.2, RFC 8422 §5.3: all our suites sign.
            raise InvalidCertificate("chain: certificate 1 may not sign (keyUsage digitalSignature)")
