import pytest

from mailraven.message import header_fields, split_header, unfold
from mailraven.message.header import header_end, known_fields
from mailraven.message.limits import MAX_FIELD_OCTETS, MAX_FIELDS, Budget


@pytest.mark.parametrize(
    ("raw", "header"),
    [
        (b"A: b\r\n\r\nbody", b"A: b\r\n\r\n"),
        (b"A: b\n\nbody", b"A: b\n\n"),
        (b"A: b\r\n\nbody", b"A: b\r\n\n"),
        (b"A: b\n\r\nbody", b"A: b\n\r\n"),
        (b"\r\nbody\r\n\r\nmore", b"\r\n"),
        (b"\nbody\n\nmore", b"\n"),
        (b"A: b\r\n", b"A: b\r\n"),
        (b"A: b", b"A: b"),
        (b"A: b\r\n \r\n\r\nbody", b"A: b\r\n \r\n\r\n"),
        (b"A: b\r\rbody", b"A: b\r\rbody"),
        (b"", b""),
    ],
)
def test_the_header_ends_after_the_first_empty_line(raw, header):
    assert split_header(raw) == (header, raw[len(header) :])


def test_a_header_within_a_message_ends_within_its_bounds():
    raw = b"--x\r\nA: b\r\n--x\r\n\r\nbody"
    assert header_end(raw, 5, 9) == 9
    assert header_end(raw, 16, len(raw)) == 18


@pytest.mark.parametrize(
    ("header", "fields"),
    [
        (b"A: b\r\nC:d\r\n\r\n", [(b"A", b"b"), (b"C", b"d")]),
        (b"A : b\r\n", [(b"A", b"b")]),
        (b"A: b\r\n c\r\n\td\r\nE: f\r\n\r\n", [(b"A", b"b\r\n c\r\n\td"), (b"E", b"f")]),
        (b"no colon\r\nA: b:c\r\n\r\n", [(b"no colon", b""), (b"A", b"b:c")]),
        (b"A: b", [(b"A", b"b")]),
        (b" starts folded\r\nA: b\n\n", [(b"starts folded", b""), (b"A", b"b")]),
        (b"\r\n", []),
        (b"", []),
    ],
)
def test_fields_are_given_in_order_with_their_folds(header, fields):
    assert header_fields(header) == fields


def test_no_more_fields_are_read_than_the_limit():
    assert len(header_fields(b"A: b\r\n" * (MAX_FIELDS + 5))) == MAX_FIELDS


@pytest.mark.parametrize(
    ("value", "unfolded"),
    [
        (b" one\r\n\ttwo\n three \r", b"one\ttwo three"),
        (b"a\0b", b"ab"),
        (b"a\rb", b"a\rb"),
        (b"", b""),
    ],
)
def test_unfolding_removes_line_ends_only(value, unfolded):
    assert unfold(value) == unfolded


def test_a_value_is_cut_at_the_limit():
    assert len(unfold(b"x" * (MAX_FIELD_OCTETS + 1))) == MAX_FIELD_OCTETS


def test_the_first_of_a_repeated_field_counts_but_address_fields_are_joined():
    fields = known_fields(b"\nSUBJECT: a\nsubject: b\nTo: a@b\nX-To: no\nto: c@d,\r\n e@f\n", Budget())
    assert fields == {b"subject": b"a", b"to": b"a@b, c@d, e@f"}


def test_only_so_many_known_fields_are_read():
    budget = Budget(fields=3)
    assert known_fields(b"\nTo: a" * 100_000, budget) == {b"to": b"a, a, a"}
    assert known_fields(b"\nTo: a", budget) == {}
