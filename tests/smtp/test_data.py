"""The reader of mail data: its end, dots, line ends, the size limit, however the octets are cut."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailraven.smtp.data import DataReader, Fault
from mailraven.testing.smtp_dialogue import stuff


def read(wire: bytes, sizes: list[int] | None = None, limit: int = 1 << 20) -> tuple[DataReader, bytes, bool]:
    """Feeds `wire` in pieces; the reader, what is left over, whether the end was found."""
    reader, buffer, position = DataReader(limit), bytearray(), 0
    for size in [*(sizes or []), len(wire)]:
        buffer += wire[position : position + size]
        position += size
        if reader.feed(buffer):
            return reader, bytes(buffer) + wire[position:], True
    return reader, bytes(buffer), False


line = st.one_of(
    st.sampled_from([b"", b".", b"..", b"...", b".x", b"x.", b"\t", b" ."]),
    st.binary(max_size=40).map(lambda octets: octets.replace(b"\r", b"").replace(b"\n", b"")),
)
content = st.lists(line, max_size=20).map(lambda lines: b"".join(item + b"\r\n" for item in lines))
cuts = st.lists(st.integers(1, 9), max_size=200)


@settings(max_examples=300)
@given(content, cuts, st.sampled_from([b"", b"QUIT\r\n", b".\r\n"]))
def test_round_trip_however_it_is_cut(message: bytes, sizes: list[int], behind: bytes):
    wire = (stuff(message).removesuffix(b"\r\n") + b"\r\n.\r\n") if message else b".\r\n"
    reader, left, done = read(wire + behind, sizes)
    assert done
    assert left == behind
    assert reader.fault is None
    assert reader.received == len(message)
    assert reader.take_content() == message


@settings(max_examples=300)
@given(st.text("\r\n.a", max_size=40).map(str.encode), cuts)
def test_the_cut_never_changes_the_outcome(wire: bytes, sizes: list[int]):
    whole, whole_left, whole_done = read(wire)
    cut, cut_left, cut_done = read(wire, sizes)
    assert whole_done == cut_done
    if whole_done:
        assert (whole.fault, whole_left) == (cut.fault, cut_left)
        if whole.fault is None:
            assert whole.take_content() == cut.take_content()


@settings(max_examples=300)
@given(st.text("\r\n.a", max_size=40).map(str.encode))
def test_only_crlf_dot_crlf_ends_the_data(wire: bytes):
    _, left, done = read(wire)
    end = (b"\r\n" + wire).find(b"\r\n.\r\n")
    assert done == (end >= 0)
    if done:
        assert left == wire[end + 3 :]


# What servers have been fooled with: ends that aren't ends. Behind each comes what an attacker would smuggle.
SMUGGLING = {
    "LF.LF": b"\n.\n",
    "LF.CRLF": b"\n.\r\n",
    "CRLF.LF": b"\r\n.\n",
    "CRLF.CR": b"\r\n.\r",
    "CR.CR": b"\r.\r",
    "CR.CRLF": b"\r.\r\n",
    "CR.LF": b"\r.\n",
    "LF.CR": b"\n.\r",
    "LFCR.LFCR": b"\n\r.\n\r",
    "CRCRLF.CRLF-1": b"\r\r\n..\r\n",
    "CRLF.CRCRLF": b"\r\n.\r\r\n",
    "CRLF.NULCRLF+LF": b"\r\n.\0\r\n\n",
    "CRLFNUL.LF": b"\r\n\0.\n",
}


@pytest.mark.parametrize("name", SMUGGLING)
def test_smuggling(name: str):
    wire = b"Subject: x\r\n\r\nbody" + SMUGGLING[name] + b"MAIL FROM:<evil@x>\r\n.\r\nNOOP\r\n"
    for sizes in ([], [1] * len(wire)):
        reader, left, done = read(wire, sizes)
        assert done
        assert left == b"NOOP\r\n"
        assert reader.fault is Fault.BARE_LINE_END
        assert reader.held == 0


def test_a_bare_cr_before_the_real_end_is_a_fault():
    reader, left, done = read(b"body\r\r\n.\r\nNOOP\r\n")
    assert done
    assert left == b"NOOP\r\n"
    assert reader.fault is Fault.BARE_LINE_END


def test_nul_and_eight_bit_are_content():
    reader, _, done = read(b"a\0b\xff\r\n.\r\n")
    assert done
    assert reader.take_content() == b"a\0b\xff\r\n"


def test_the_limit_counts_octets_and_keeps_nothing_beyond():
    reader, _, done = read(b"x" * 98 + b"\r\n.\r\n", limit=100)
    assert done
    assert reader.fault is None
    reader, left, done = read(b"x" * 99 + b"\r\n.\r\nQUIT\r\n", [10] * 4, limit=100)
    assert done
    assert reader.fault is Fault.TOO_LARGE
    assert reader.held == 0
    assert left == b"QUIT\r\n"
    with pytest.raises(ValueError, match="larger"):
        reader.take_content()


def test_a_stuffed_dot_does_not_count():
    reader, _, _ = read(b"..\r\n.\r\n", limit=3)
    assert reader.fault is None
    assert reader.take_content() == b".\r\n"


def test_a_line_of_a_million_octets_is_content():
    line = b"X-Long: " + b"y" * 1_000_000 + b"\r\n"
    reader, _, done = read(line + b"\r\n.\r\n", [65536] * 20, limit=2_000_000)
    assert done
    assert reader.take_content() == line + b"\r\n"


def test_memory_is_given_up_on_demand():
    reader = DataReader(1000)
    buffer = bytearray(b"x" * 100)
    reader.feed(buffer)
    assert reader.held > 0
    reader.discard(Fault.NO_MEMORY)
    assert reader.held == 0
    assert reader.feed(bytearray(b"x\r\n.\r\n"))
    assert reader.fault is Fault.NO_MEMORY
