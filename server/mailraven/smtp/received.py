"""Trace header fields (RFC 5321 §4.4; `with` values of RFC 3848 and RFC 6531 §4.3)."""

import re
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv6Address, ip_address

_NOT_TOKEN = re.compile(r"[^A-Za-z0-9._:\[\]\-]")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Hop:
    """What a Received field tells of the session that brought the message."""

    helo: str
    peer_ip: str  # empty where it isn't known
    by: str
    extended: bool  # EHLO, not HELO
    tls: bool
    authenticated: bool


def protocol(hop: Hop, *, smtputf8: bool) -> str:
    """ESMTP, ESMTPS, ESMTPA, ESMTPSA and their UTF8SMTP twins."""
    if not hop.extended:
        return "SMTPS" if hop.tls else "SMTP"
    base = "UTF8SMTP" if smtputf8 else "ESMTP"
    return base + ("S" if hop.tls else "") + ("A" if hop.authenticated else "")


def received(hop: Hop, trace_id: str, when: datetime, *, recipient: str = "", smtputf8: bool = False) -> bytes:
    """One field with its CRLF. `recipient` only where there is one: others would show who was in Bcc."""
    source = _NOT_TOKEN.sub("?", hop.helo) or "unknown"
    address = f" ({tcp_info(hop.peer_ip)})" if hop.peer_ip else ""
    target = f"\r\n\tfor <{recipient}>" if recipient else ""
    return (
        f"Received: from {source}{address}\r\n"
        f"\tby {hop.by} with {protocol(hop, smtputf8=smtputf8)} id {trace_id}{target}; {rfc5322_date(when)}\r\n"
    ).encode()


def tcp_info(ip: str) -> str:
    """`[192.0.2.1]` or `[IPv6:2001:db8::1]` (RFC 5321 §4.4)."""
    try:
        address = ip_address(ip.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return f"[{mapped}]" if mapped is not None else f"[IPv6:{address}]"
    return f"[{address}]"


def rfc5322_date(when: datetime) -> str:
    """RFC 5322 §3.3; a naive time is read as UTC. By hand: strftime would follow the locale."""
    zone = when.strftime("%z")[:5] or "+0000"
    return (
        f"{_DAYS[when.weekday()]}, {when.day} {_MONTHS[when.month - 1]} {when.year:04d} "
        f"{when.hour:02d}:{when.minute:02d}:{when.second:02d} {zone}"
    )


def return_path(address: str) -> bytes:
    return f"Return-Path: <{address}>\r\n".encode()


def delivered_to(address: str) -> bytes:
    return f"Delivered-To: {address}\r\n".encode()


def count_received(header: bytes) -> int:
    """How many hosts a message passed (RFC 5321 §6.3), from its header section."""
    folded = header.lower()
    return folded.count(b"\nreceived:") + folded.startswith(b"received:")
