"""The header of a PROXY protocol connection, versions 1 and 2, as HAProxy's proxy-protocol.txt defines it.

Pure: octets to values, and never an exception for what a peer sends.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address

SIGNATURE_V1 = b"PROXY "
SIGNATURE_V2 = b"\r\n\r\n\x00\r\nQUIT\n"
LOCAL_V2 = SIGNATURE_V2 + b"\x20\x00\x00\x00"
"""The whole header by which a balancer speaks for itself."""
MAX_V1 = 107
"""§2.1: the longest line, with its CRLF."""
MAX_V2_LENGTH = 4096
"""Octets behind the fixed 16 of version 2 that we read: addresses take 216 at most, the rest are TLVs."""

_Family = type[IPv4Address] | type[IPv6Address]
_FIXED_V2 = 16
_SHORTEST_V1 = len(b"PROXY UNKNOWN\r\n")
_TCP_V1 = re.compile(
    rb"PROXY (TCP[46]) ([0-9a-fA-F:.]{2,39}) ([0-9a-fA-F:.]{2,39})"
    rb" (0|[1-9][0-9]{0,4}) (0|[1-9][0-9]{0,4})\r\n"
)
_KINDS_V1 = (b"PROXY TCP4 ", b"PROXY TCP6 ", b"PROXY UNKNOWN ", b"PROXY UNKNOWN\r\n")
_FAMILIES_V1: dict[bytes, _Family] = {b"TCP4": IPv4Address, b"TCP6": IPv6Address}
# §2.2: address family and transport in one octet, and how long an address is there. Only streams over IP are
# connections that a listener of ours can have; the other combinations that the text knows are like UNSPEC.
_IP_STREAMS_V2: dict[int, tuple[_Family, int]] = {0x11: (IPv4Address, 4), 0x21: (IPv6Address, 16)}
_OTHERS_V2 = {0x00: 0, 0x12: 12, 0x22: 36, 0x31: 216, 0x32: 216}


@dataclass(frozen=True, slots=True)
class Proxied:
    """A connection from `source` to `destination`, each an IP address as text and a port."""

    version: int
    source: tuple[str, int]
    destination: tuple[str, int]
    length: int


@dataclass(frozen=True, slots=True)
class Local:
    """The balancer speaks for itself (LOCAL: a health check) or cannot say for whom (UNKNOWN, UNSPEC, AF_UNIX): the
    addresses of the connection count.
    """

    version: int
    length: int


@dataclass(frozen=True, slots=True)
class NeedMore:
    """What came may begin a header; `octets` more at least belong to it, none of them to what follows."""

    octets: int


class NotProxy:
    """What came is no header and cannot become one."""


class Fault(StrEnum):
    """What is wrong with a header: a closed set, fit for a label."""

    LINE_TOO_LONG = "line too long"
    BAD_LINE = "bad line"
    BAD_ADDRESS = "bad address"
    BAD_PORT = "bad port"
    BAD_VERSION = "bad version"
    BAD_COMMAND = "bad command"
    BAD_FAMILY = "bad address family"
    TOO_LONG = "header too long"
    TOO_SHORT = "header too short for its addresses"


@dataclass(frozen=True, slots=True)
class Malformed:
    """It begins like a header and is wrong: the connection must go (§2.1, §2.2)."""

    fault: Fault


Parsed = Proxied | Local | NeedMore | NotProxy | Malformed
NOT_PROXY = NotProxy()


def parse(data: bytes) -> Parsed:
    """What the first octets of a connection are. Octets behind a complete header are not looked at."""
    if not data:
        return NeedMore(_SHORTEST_V1)
    if SIGNATURE_V2.startswith(data[:12]):
        return _parse_v2(data)
    if SIGNATURE_V1.startswith(data[:6]):
        return _parse_v1(data)
    return NOT_PROXY


def _parse_v1(data: bytes) -> Parsed:
    end = data.find(b"\r\n", 0, MAX_V1)
    if end >= 0:
        return _parse_line(bytes(data[: end + 2]))
    if len(data) >= MAX_V1:
        return Malformed(Fault.LINE_TOO_LONG)
    if not any(data.startswith(kind) or kind.startswith(data) for kind in _KINDS_V1):
        return Malformed(Fault.BAD_LINE)
    if len(data) < _SHORTEST_V1:
        return NeedMore(_SHORTEST_V1 - len(data))
    # A field still to come has two octets at least, with the space before it; then CRLF.
    fields = 5 - min(data.count(b" "), 5) if data.startswith(b"PROXY TCP") else 0
    return NeedMore(2 * fields + (1 if data.endswith(b"\r") else 2))


def _parse_line(line: bytes) -> Parsed:
    if line == b"PROXY UNKNOWN\r\n" or line.startswith(b"PROXY UNKNOWN "):
        return Local(1, len(line))  # §2.1: the rest of the line is ignored
    match = _TCP_V1.fullmatch(line)
    if match is None:
        return Malformed(Fault.BAD_LINE)
    family = _FAMILIES_V1[match[1]]
    try:
        source, destination = (str(family(match[field].decode("ascii"))) for field in (2, 3))
    except ValueError:
        return Malformed(Fault.BAD_ADDRESS)
    ports = int(match[4]), int(match[5])
    if max(ports) > 65535:
        return Malformed(Fault.BAD_PORT)
    return Proxied(1, (source, ports[0]), (destination, ports[1]), len(line))


def _parse_v2(data: bytes) -> Parsed:
    if len(data) < _FIXED_V2:
        return NeedMore(_FIXED_V2 - len(data))
    version, command, kind = data[12] >> 4, data[12] & 0x0F, data[13]
    length = int.from_bytes(data[14:16])
    if version != 2:
        return Malformed(Fault.BAD_VERSION)
    if command > 1:
        return Malformed(Fault.BAD_COMMAND)
    if length > MAX_V2_LENGTH:
        return Malformed(Fault.TOO_LONG)
    stream = _IP_STREAMS_V2.get(kind)
    if stream is None and kind not in _OTHERS_V2 and command == 1:
        return Malformed(Fault.BAD_FAMILY)
    needed = 2 * stream[1] + 4 if stream is not None else _OTHERS_V2.get(kind, 0)
    # §2.2: with LOCAL only the length counts, whatever family it names.
    if command == 1 and length < needed:
        return Malformed(Fault.TOO_SHORT)
    if len(data) < _FIXED_V2 + length:
        return NeedMore(_FIXED_V2 + length - len(data))
    if command == 0 or stream is None:
        return Local(2, _FIXED_V2 + length)
    return _addresses_v2(data, stream[0], stream[1], _FIXED_V2 + length)


def _addresses_v2(data: bytes, family: _Family, size: int, length: int) -> Proxied:
    ports = _FIXED_V2 + 2 * size
    return Proxied(
        2,
        (str(family(data[_FIXED_V2 : _FIXED_V2 + size])), int.from_bytes(data[ports : ports + 2])),
        (str(family(data[_FIXED_V2 + size : ports])), int.from_bytes(data[ports + 2 : ports + 4])),
        length,
    )
