"""Server contexts: TLS 1.2 with six ECDHE suites, and TLS 1.3 (RFC 8314 §4, RFC 9325 §4.2), one for each certificate.

Listeners hold one context for ever; its SNI callback (RFC 6066 §3) switches each handshake to the right one.
"""

from __future__ import annotations

import os
import ssl
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog

from mailraven.tls.errors import TlsError
from mailraven.tls.pairs import Pair, read_pair

_log = structlog.get_logger(component="tls")

CIPHERS = (
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
)
_KEPT = 512  # contexts; each takes some 25 KiB, and a millisecond to make anew

Names = Mapping[str, tuple[Pair, ...]]
"""For each DNS name in lower case, wildcards as "*.example.org", a pair of each kind of key."""


class TlsContexts:
    """The contexts of a process, shared by all of its listeners."""

    def __init__(self, cert_file: Path | None = None, key_file: Path | None = None, *, kept: int = _KEPT) -> None:
        self._kept = kept
        self._names: Names = {}
        self._default: ssl.SSLContext | None = None
        self._default_ids: tuple[str, ...] = ()
        self._made: OrderedDict[tuple[str, ...], ssl.SSLContext] = OrderedDict()
        self._broken: set[tuple[str, ...]] = set()
        self._base = _bare_context()
        # Called for clients without SNI too, with None.
        self._base.sni_callback = self._switch
        if cert_file is not None and key_file is not None:
            self.use({}, [read_pair(cert_file, key_file)])

    def server_context(self) -> ssl.SSLContext:
        """For STARTTLS and implicit TLS alike; it stays the same when certificates are replaced."""
        return self._base

    def use(self, names: Names, default: Sequence[Pair]) -> None:
        """From now on, handshakes see these; those in progress end with what they began with.

        Raises TlsError when `default` cannot be used: then nothing changes.
        """
        if self._default is None or _ids(default) != self._default_ids:
            self._default = make_context(default)
            self._default_ids = _ids(default)
        if names is not self._names:
            alive = {_ids(pairs) for pairs in names.values()}
            for ids in [ids for ids in self._made if ids not in alive]:
                del self._made[ids]
            self._broken &= alive
            self._names = names

    def context_for(self, name: str | None) -> ssl.SSLContext:
        """By the exact name, then by wildcard (RFC 9525 §6.3), then the default."""
        if self._default is None:
            raise TlsError("no certificate yet")
        pairs = self._find(name)
        if not pairs:
            return self._default
        ids = _ids(pairs)
        context = self._made.get(ids)
        if context is not None:
            self._made.move_to_end(ids)
            return context
        if ids in self._broken:
            return self._default
        try:
            context = make_context(pairs)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one certificate, the client gets another
            self._broken.add(ids)
            _log.error("certificate_unusable", certificate=pairs[0].label, reason=str(error))
            return self._default
        self._made[ids] = context
        if len(self._made) > self._kept:
            self._made.popitem(last=False)
        return context

    def _find(self, name: str | None) -> tuple[Pair, ...]:
        if not name or not self._names:
            return ()
        name = name.lower().rstrip(".")
        return self._names.get(name) or self._names.get("*." + name.partition(".")[2], ())

    def _switch(self, connection: ssl.SSLObject, name: str | None, _base: ssl.SSLContext) -> None:
        connection.context = self.context_for(name)


def make_context(pairs: Sequence[Pair]) -> ssl.SSLContext:
    """A server context with pairs of different kinds of keys. Raises TlsError, and what opening a key raises."""
    context = _bare_context()
    for pair in pairs:
        _load(context, pair)
    return context


def _bare_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(":".join(CIPHERS))
    # RFC 9325 §3.3, §3.5: neither compression nor renegotiation.
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.num_tickets = 1  # a mail client keeps its connections; the default of 2 only costs octets
    return context


def _load(context: ssl.SSLContext, pair: Pair) -> None:
    """Through a file that is only memory: load_cert_chain() takes nothing else, and no key may reach a disk."""
    pem = pair.pem()
    descriptor = os.memfd_create("pair", os.MFD_CLOEXEC)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(pem)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}", password=_refuse_pass_phrase)
    except ssl.SSLError as error:
        raise TlsError(_explain(error, pair.label)) from None
    except OSError as error:
        raise TlsError(f"{pair.label}: no memory for the private key: {error.strerror}") from None
    finally:
        os.close(descriptor)


def _refuse_pass_phrase() -> str:
    # Without this OpenSSL would ask on the terminal and wait.
    raise TlsError("the private key has a pass phrase; expected one without")


def _explain(error: ssl.SSLError, label: str) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"{label}: the private key does not belong to the certificate"
    return f"{label}: not a usable certificate and key: {error.reason or error}"


def _ids(pairs: Sequence[Pair]) -> tuple[str, ...]:
    return tuple(pair.id for pair in pairs)
