"""Which mechanisms there are. A new one is a file and a row here."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from mailraven.sasl.exchange import Exchange
from mailraven.sasl.login import Login
from mailraven.sasl.plain import Plain

MECHANISMS: Mapping[str, Callable[[], Exchange]] = MappingProxyType({"PLAIN": Plain, "LOGIN": Login})
"""By IANA name; both send the password itself and so are offered under TLS only."""


def start(name: str) -> Exchange | None:
    """A fresh exchange, or None for a mechanism that isn't known. Names are case-insensitive."""
    make = MECHANISMS.get(name.upper())
    return make() if make is not None else None
