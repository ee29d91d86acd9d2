"""Who the client really is: behind reverse proxies by X-Forwarded-For, X-Real-IP and X-Forwarded-Proto."""

from dataclasses import dataclass

from mailraven.adminapi.headers import Scope
from mailraven.net.addresses import Networks, normalized, packed_address

_HOPS = 32


@dataclass(frozen=True, slots=True)
class Client:
    """An address, and whether the request came by https."""

    ip: str
    secure: bool


def client_of(scope: Scope, trusted: Networks) -> Client:
    """The peer, or who he speaks for when he is a trusted proxy."""
    peer = normalized(scope["client"][0]) if scope.get("client") else ""
    secure = scope.get("scheme") == "https"
    if peer not in trusted:
        return Client(peer, secure)
    headers = _of_proxies(scope)
    protocol = headers.get(b"x-forwarded-proto")
    if protocol is not None:
        # Of a chain of proxies the one nearest to the client is named first.
        secure = protocol.split(b",")[0].strip().lower() == b"https"
    return Client(_forwarded(headers, trusted) or peer, secure)


def _of_proxies(scope: Scope) -> dict[bytes, bytes]:
    """Several fields of a name are one list (RFC 9110 §5.3)."""
    found: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in (b"x-forwarded-for", b"x-real-ip", b"x-forwarded-proto"):
            found[name] = found[name] + b"," + value if name in found else value
    return found


def _forwarded(headers: dict[bytes, bytes], trusted: Networks) -> str | None:
    """From the right: what a trusted proxy has seen; what stands left of a stranger may be his invention."""
    seen = None
    for hop in reversed(headers.get(b"x-forwarded-for", b"").split(b",")[-_HOPS:]):
        ip = _address(hop)
        if ip is None:
            break
        seen = ip
        if ip not in trusted:
            return ip
    if seen is not None:
        return seen
    return _address(headers.get(b"x-real-ip", b""))


def _address(text: bytes) -> str | None:
    """Also with a port: `192.0.2.1:1234`, `[2001:db8::1]:1234`."""
    value = text.strip().decode("latin-1")
    if value.startswith("["):
        value = value[1:].partition("]")[0]
    elif value.count(":") == 1:
        value = value.partition(":")[0]
    return normalized(value) if packed_address(value) is not None else None
