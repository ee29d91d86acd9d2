"""The PROXY protocol's header: what the text allows, what it forbids, and that nothing else raises or runs away."""

import ipaddress
import socket
import struct

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mailraven.proxy import (
    LOCAL_V2,
    MAX_V1,
    MAX_V2_LENGTH,
    SIGNATURE_V1,
    SIGNATURE_V2,
    Fault,
    Local,
    Malformed,
    NeedMore,
    NotProxy,
    Proxied,
    parse,
)

MAPPED = ipaddress.ip_address("::ffff:192.0.2.1")


def v2(command: int, family: int, payload: bytes, *, version: int = 2, length: int | None = None) -> bytes:
    size = len(payload) if length is None else length
    return SIGNATURE_V2 + struct.pack("!BBH", version << 4 | command, family, size) + payload


def tcp4(source: str = "192.0.2.1", port: int = 40000, extra: bytes = b"") -> bytes:
    addresses = socket.inet_aton(source) + socket.inet_aton("198.51.100.2")
    return v2(1, 0x11, addresses + struct.pack("!HH", port, 25) + extra)


def tcp6(source: str = "2001:db8::1", port: int = 40000, extra: bytes = b"") -> bytes:
    addresses = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, "2001:db8::2")
    return v2(1, 0x21, addresses + struct.pack("!HH", port, 25) + extra)


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (
            b"PROXY TCP4 192.0.2.1 198.51.100.2 40000 25\r\n",
            Proxied(1, ("192.0.2.1", 40000), ("198.51.100.2", 25), 44),
        ),
        (
            b"PROXY TCP6 2001:DB8:0::1 2001:db8::2 0 65535\r\n",
            Proxied(1, ("2001:db8::1", 0), ("2001:db8::2", 65535), 46),
        ),
        (b"PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", Proxied(1, (str(MAPPED), 1), ("::1", 2), 37)),
        (b"PROXY UNKNOWN\r\n", Local(1, 15)),
        (b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", Local(1, 59)),
        (tcp4(), Proxied(2, ("192.0.2.1", 40000), ("198.51.100.2", 25), 28)),
        (tcp6(), Proxied(2, ("2001:db8::1", 40000), ("2001:db8::2", 25), 52)),
        (tcp4(extra=b"\x04\x00\x03abc"), Proxied(2, ("192.0.2.1", 40000), ("198.51.100.2", 25), 34)),
        (LOCAL_V2, Local(2, 16)),
        (v2(0, 0x11, b"x" * 40), Local(2, 56)),  # a LOCAL header may carry anything
        (v2(0, 0x77, b""), Local(2, 16)),
        (v2(1, 0x00, b"\x04\x00\x01x"), Local(2, 20)),
        (v2(1, 0x12, b"x" * 12), Local(2, 28)),
        (v2(1, 0x31, b"/run/x".ljust(216, b"\0")), Local(2, 232)),
    ],
)
def test_a_header_is_read_and_what_follows_is_left_alone(octets: bytes, expected: Proxied | Local) -> None:
    assert parse(octets) == expected
    assert expected.length == len(octets)
    assert parse(octets + b"\x16\x03\x01EHLO client\r\n") == expected


@pytest.mark.parametrize(
    ("octets", "fault"),
    [
        (b"PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n", Fault.BAD_LINE),
        (b"PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n", Fault.BAD_LINE),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", Fault.BAD_LINE),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n", Fault.BAD_LINE),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n", Fault.BAD_LINE),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n", Fault.BAD_LINE),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n\r\n", Fault.BAD_LINE),
        (b"PROXY TCP4 1.2.3.4\t1.2.3.4 1 2\r\n", Fault.BAD_LINE),
        (b"PROXY UNKNOWNX\r\n", Fault.BAD_LINE),
        (b"PROXY ,", Fault.BAD_LINE),  # at once, not when the line ends
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n", Fault.BAD_PORT),
        (b"PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n", Fault.BAD_ADDRESS),
        (b"PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n", Fault.BAD_ADDRESS),
        (b"PROXY TCP4 ::1 ::1 1 2\r\n", Fault.BAD_ADDRESS),
        (b"PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n", Fault.BAD_ADDRESS),
        (b"PROXY TCP6 1::2::3 ::1 1 2\r\n", Fault.BAD_ADDRESS),
        (b"PROXY UNKNOWN ".ljust(MAX_V1, b"x"), Fault.LINE_TOO_LONG),
        (v2(1, 0x11, b"x" * 12, version=1), Fault.BAD_VERSION),
        (v2(2, 0x11, b"x" * 12), Fault.BAD_COMMAND),
        (v2(1, 0x10, b"x" * 12), Fault.BAD_FAMILY),
        (v2(1, 0x41, b"x" * 12), Fault.BAD_FAMILY),
        (v2(1, 0x11, b"", length=11), Fault.TOO_SHORT),
        (v2(1, 0x21, b"", length=35), Fault.TOO_SHORT),
        (v2(1, 0x31, b"", length=215), Fault.TOO_SHORT),
        (v2(0, 0x00, b"", length=MAX_V2_LENGTH + 1), Fault.TOO_LONG),
    ],
)
def test_a_wrong_header_is_malformed(octets: bytes, fault: Fault) -> None:
    assert parse(octets) == Malformed(fault)


@pytest.mark.parametrize(
    "octets", [b"EHLO x\r\n", b"\x16\x03\x01\x02\x00", b"PRO XY", b"\r\nEHLO", b"POST / HTTP/1.1", b"proxy TCP4", b"\0"]
)
def test_other_first_words_are_no_header(octets: bytes) -> None:
    assert isinstance(parse(octets), NotProxy)


def test_the_longest_lines_and_headers_fit() -> None:
    line = b"PROXY UNKNOWN " + b"x" * (MAX_V1 - 16) + b"\r\n"
    assert parse(line) == Local(1, MAX_V1)
    full = tcp4(extra=b"x" * (MAX_V2_LENGTH - 12))
    assert parse(full) == Proxied(2, ("192.0.2.1", 40000), ("198.51.100.2", 25), 16 + MAX_V2_LENGTH)


ports = st.integers(0, 65535)
addresses = st.one_of(
    st.tuples(st.ip_addresses(v=4), st.ip_addresses(v=4)), st.tuples(st.ip_addresses(v=6), st.ip_addresses(v=6))
)


def render(version: int, pair: tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, ...], p: int, q: int) -> bytes:
    source, destination = pair
    if version == 1:
        return f"PROXY TCP{source.version} {source} {destination} {p} {q}\r\n".encode()
    family = 0x11 if source.version == 4 else 0x21
    return v2(1, family, source.packed + destination.packed + struct.pack("!HH", p, q))


@given(st.sampled_from([1, 2]), addresses, ports, ports, st.binary(max_size=40))
def test_what_a_balancer_renders_is_what_we_read(
    version: int, pair: tuple[ipaddress.IPv4Address, ipaddress.IPv4Address], p: int, q: int, rest: bytes
) -> None:
    octets = render(version, pair, p, q)
    found = parse(octets + rest)
    assert isinstance(found, Proxied)
    assert (ipaddress.ip_address(found.source[0]), ipaddress.ip_address(found.destination[0])) == pair
    assert (found.source[1], found.destination[1], found.length) == (p, q, len(octets))


@given(
    st.one_of(
        st.builds(render, st.sampled_from([1, 2]), addresses, ports, ports),
        st.just(b"PROXY UNKNOWN\r\n"),
        st.just(LOCAL_V2),
        st.binary(max_size=80).map(lambda tlvs: tcp4(extra=tlvs)),
    ),
    st.binary(max_size=40),
)
def test_reading_as_much_as_is_asked_for_never_takes_an_octet_of_what_follows(header: bytes, rest: bytes) -> None:
    stream, taken = header + rest, 0
    for _ in range(MAX_V1):
        found = parse(stream[:taken])
        if not isinstance(found, NeedMore):
            break
        assert found.octets >= 1
        taken += found.octets
        assert taken <= len(header)
    assert not isinstance(found, NeedMore | NotProxy | Malformed)
    assert taken == len(header) == found.length


@given(
    st.one_of(st.just(b""), st.just(SIGNATURE_V1), st.just(SIGNATURE_V2), st.just(SIGNATURE_V2 + b"\x21\x11")),
    st.binary(),
)
def test_hostile_octets_get_a_typed_answer_that_more_octets_do_not_take_back(start: bytes, octets: bytes) -> None:
    data = start + octets
    answers = [parse(data[:end]) for end in range(min(len(data), 150) + 1)]
    final = [one for one in answers if not isinstance(one, NeedMore)]
    assert all(one == final[0] for one in final[1:])
    # Once decided, always decided, and within the bounds.
    assert len(answers) - len(final) <= 16 + MAX_V2_LENGTH
    if data.startswith(SIGNATURE_V1) and len(data) >= MAX_V1:
        assert final


@given(st.binary(max_size=200))
def test_the_v1_line_is_decided_within_its_bound(octets: bytes) -> None:
    data = (SIGNATURE_V1 + octets).ljust(MAX_V1, b"1")
    assume(b"\r\n" not in data[:MAX_V1])
    assert isinstance(parse(data), Malformed)
