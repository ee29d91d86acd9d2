"""TLS of the listeners: a context for each certificate, chosen by SNI (RFC 6066, RFC 8314, RFC 9325)."""

from mailraven.tls.contexts import CIPHERS, TlsContexts, make_context
from mailraven.tls.errors import TlsError
from mailraven.tls.pairs import Pair, PemPair, read_pair

__all__ = ["CIPHERS", "Pair", "PemPair", "TlsContexts", "TlsError", "make_context", "read_pair"]
