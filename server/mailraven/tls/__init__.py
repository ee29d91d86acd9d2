"""TLS of the listeners: contexts (RFC 8314, RFC 9325) and the self-signed certificate of `mailraven up`."""

from mailraven.tls.contexts import CIPHERS, TlsContexts
from mailraven.tls.errors import TlsError

__all__ = ["CIPHERS", "TlsContexts", "TlsError"]
