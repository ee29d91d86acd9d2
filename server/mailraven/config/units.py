"""Types of settings: sizes ("50MiB"), durations ("30s"), host names, lists written with commas."""

import re
from collections.abc import Callable
from ipaddress import ip_network
from typing import Annotated, TypeVar

from pydantic import BeforeValidator, Field

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)")
_SIZE_UNITS = {
    "": 1,
    "b": 1,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "tb": 1000**4,
    "k": 1024,
    "m": 1024**2,
    "g": 1024**3,
    "t": 1024**4,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
    "tib": 1024**4,
}
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)")
_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PLAIN_NUMBER = re.compile(r"\d+(?:\.\d+)?")
# RFC 1123 §2.1: letters, digits and hyphens, at most 63 a label and 253 in all.
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOSTNAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*")


def parse_size(value: object) -> object:
    """Octets from a number or a text such as "50MiB", "1 GB" or "32768"."""
    if not isinstance(value, str):
        return value
    match = _SIZE.fullmatch(value.strip())
    unit = _SIZE_UNITS.get(match[2].lower()) if match else None
    if match is None or unit is None:
        raise ValueError('expected a size such as "50MiB", "1GB" or a number of octets')
    return round(float(match[1]) * unit)


def parse_duration(value: object) -> object:
    """Seconds from a number or a text such as "30s", "5m" or "1h30m"."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if _PLAIN_NUMBER.fullmatch(text):
        return float(text)
    total, position = 0.0, 0
    for part in _DURATION_PART.finditer(text):
        if part.start() != position:
            break
        total += float(part[1]) * _DURATION_UNITS[part[2]]
        position = part.end()
    if position != len(text) or not text:
        raise ValueError('expected a duration such as "30s", "5m", "1h30m", "5d" or a number of seconds')
    return total


def parse_hostname(value: object) -> object:
    """A host name in lower case without its trailing dot."""
    if not isinstance(value, str):
        return value
    name = value.strip().rstrip(".").lower()
    if not _HOSTNAME.fullmatch(name):
        raise ValueError('expected a host name such as "mx.example.org" (letters, digits, hyphens, dots)')
    return name


def split_commas(value: object) -> object:
    """A list from a text with commas, as variables and the command line give it."""
    if not isinstance(value, str):
        return value
    return [item.strip() for item in value.split(",") if item.strip()]


def parse_endpoint(value: object) -> object:
    """ "host:port" or "[address]:port", checked and kept as text."""
    if not isinstance(value, str):
        return value
    host, _, port = value.strip().rpartition(":")
    if not host or (":" in host and not (host.startswith("[") and host.endswith("]"))):
        raise ValueError('expected "host:port" or "[IPv6 address]:port"')
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError("expected a port between 1 and 65535 after the last colon")
    return f"{host}:{int(port)}"


def parse_network(value: object) -> object:
    """An address or a network as CIDR, checked and kept as text."""
    if not isinstance(value, str):
        return value
    try:
        return str(ip_network(value.strip()))
    except ValueError:
        raise ValueError('expected a network such as "10.0.0.0/8" or "2001:db8::/32", or an address') from None


Size = Annotated[int, BeforeValidator(parse_size), Field(ge=0)]
Seconds = Annotated[float, BeforeValidator(parse_duration), Field(gt=0, allow_inf_nan=False)]
Hostname = Annotated[str, BeforeValidator(parse_hostname)]
Endpoint = Annotated[str, BeforeValidator(parse_endpoint)]
Network = Annotated[str, BeforeValidator(parse_network)]
Port = Annotated[int, Field(ge=0, le=65535)]

_T = TypeVar("_T")
CommaList = Annotated[tuple[_T, ...], BeforeValidator(split_commas)]

# How docs/configuration.md calls a field with one of these validators.
UNIT_NAMES: dict[Callable[[object], object], str] = {
    parse_size: "size",
    parse_duration: "duration",
    parse_hostname: "host name",
    parse_endpoint: "host:port",
    parse_network: "network",
    split_commas: "list",
}
