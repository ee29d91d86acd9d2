"""What can be wrong with a certificate, in words for the admin."""


class CertificateError(Exception):
    """Parent of all."""


class InvalidCertificate(CertificateError):
    """An upload that clients would not accept, or that cannot be served."""


class NoSuchCertificate(CertificateError):
    """No certificate of this name."""
