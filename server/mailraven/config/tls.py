"""Settings of TLS (RFC 8314)."""

from pathlib import Path

from pydantic import model_validator

from mailraven.config.section import Section


class TlsConfig(Section):
    """The default certificate of the listeners; those of the certificate store come first for the names they have.
    TLS 1.2 and 1.3 are spoken."""

    cert_file: Path | None = None
    """The certificate chain in PEM, the server's own first; read again when it changes. Default: the certificate of
    the store for the host name, else a self-signed one."""
    key_file: Path | None = None
    """The private key in PEM, without a pass phrase."""

    @model_validator(mode="after")
    def _both_or_none(self) -> "TlsConfig":
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("expected both tls.cert_file and tls.key_file, or neither")
        return self
