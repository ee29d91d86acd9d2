"""Sequence sets against a naive model."""

import itertools
import time
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailraven.imap.errors import SyntaxProblem
from mailraven.imap.sequence_set import STAR, SequenceSet, compact

number = st.integers(1, 60) | st.just(STAR)
sets = st.lists(st.tuples(number, number), min_size=1, max_size=8).map(lambda ranges: SequenceSet(tuple(ranges)))
sorted_uids = st.sets(st.integers(1, 60)).map(lambda s: array("I", sorted(s)))


def naive(chosen: SequenceSet, largest: int) -> set[int]:
    found: set[int] = set()
    for a, b in chosen.ranges:
        a, b = a or largest, b or largest
        found.update(range(min(a, b), max(a, b) + 1))
    return found


@given(sets)
@settings(max_examples=100, deadline=None)
def test_rendering_and_parsing_are_inverse(chosen: SequenceSet) -> None:
    assert SequenceSet.parse(chosen.render().encode()) == chosen


@given(sets, sorted_uids)
@settings(max_examples=300, deadline=None)
def test_uids_of_a_mailbox(chosen: SequenceSet, uids: "array[int]") -> None:
    expected = [uid for uid in uids if uid in naive(chosen, uids[-1])]
    assert chosen.uids(uids) == expected
    half = len(uids) // 2
    if half:
        first = uids[:half]
        assert chosen.uids(uids, half) == [uid for uid in first if uid in naive(chosen, first[-1])]


@given(sets, st.integers(0, 60))
@settings(max_examples=200, deadline=None)
def test_sequence_numbers(chosen: SequenceSet, count: int) -> None:
    expected = sorted(n for n in naive(chosen, count) if 1 <= n <= count) if count else []
    assert chosen.numbers(count) == expected


@given(sets, st.integers(1, 60))
@settings(max_examples=200, deadline=None)
def test_resolved_ranges_ascend_and_do_not_touch(chosen: SequenceSet, largest: int) -> None:
    ranges = chosen.resolve(largest)
    assert all(low <= high for low, high in ranges)
    assert all(first[1] + 1 < second[0] for first, second in itertools.pairwise(ranges))


@given(st.sets(st.integers(1, 4294967295)))
@settings(max_examples=100, deadline=None)
def test_compact_form_holds_the_same_numbers(numbers: set[int]) -> None:
    text = compact(sorted(numbers))
    if numbers:
        resolved = SequenceSet.parse(text.encode()).resolve(4294967295)
        assert sum(high - low + 1 for low, high in resolved) == len(numbers)
        assert all(any(low <= n <= high for low, high in resolved) for n in numbers)
    assert SequenceSet.of(sorted(numbers)).render() == text


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"0",
        b"1:0",
        b"01",
        b"1,",
        b",1",
        b"1:2:3",
        b"1:",
        b":",
        b"**",
        b"1 2",
        b"-1",
        b"$,1",
        b"$:1",
        b"4294967296",
        b"1:4294967296",
        b"9" * 60000,
        b"99999999999",
    ],
)
def test_what_is_no_set(text: bytes) -> None:
    with pytest.raises(SyntaxProblem):
        SequenceSet.parse(text)


def test_a_star_beyond_the_last_message_still_finds_it() -> None:
    # RFC 9051 §9 seq-range: 559:* always holds the last message
    assert SequenceSet.parse(b"559:*").uids([3, 7]) == [7]
    assert SequenceSet.parse(b"*").uids([]) == []
    assert SequenceSet.parse(b"1:*").numbers(0) == []


def test_saved_result() -> None:
    assert SequenceSet.parse(b"$") == SequenceSet(saved=True)
    assert SequenceSet(saved=True).render() == "$"


def test_numbers_that_do_not_exist_are_seen() -> None:
    assert SequenceSet.parse(b"3:5").exceeds(4)
    assert not SequenceSet.parse(b"3:4,*").exceeds(4)


def test_a_hostile_set_of_many_overlapping_ranges_costs_little() -> None:
    text = b",".join([b"1:4294967295"] * 5000 + [b"%d" % n for n in range(1, 20_000, 2)])
    started = time.process_time()
    assert len(SequenceSet.parse(text).uids(array("I", range(1, 100_001)))) == 100_000
    assert time.process_time() - started < 1
