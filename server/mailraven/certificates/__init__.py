"""The certificate store: chains and sealed private keys in Postgres, checked on upload, served by SNI."""

from mailraven.certificates.checking import Checked, check_upload
from mailraven.certificates.errors import CertificateError, InvalidCertificate, NoSuchCertificate
from mailraven.certificates.serving import ServedCertificates
from mailraven.certificates.store import (
    CHANNEL,
    StoredCertificate,
    delete_certificate,
    get_certificate,
    list_certificates,
    put_certificate,
)
from mailraven.certificates.watched_files import WatchedFiles

__all__ = [
    "CHANNEL",
    "CertificateError",
    "Checked",
    "InvalidCertificate",
    "NoSuchCertificate",
    "ServedCertificates",
    "StoredCertificate",
    "WatchedFiles",
    "check_upload",
    "delete_certificate",
    "get_certificate",
    "list_certificates",
    "put_certificate",
]
