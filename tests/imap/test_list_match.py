"""LIST patterns against a naive matcher, and the tree of names."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailraven.imap.list_match import Match, Pattern, matches, parents_of


def naive(pattern: str, name: str) -> bool:
    parts = {"*": "[\\s\\S]*", "%": "[^/]*"}
    return re.fullmatch("".join(parts.get(c) or re.escape(c) for c in pattern), name) is not None


@given(st.text("ab/*%", max_size=8), st.text("ab/", max_size=10))
@settings(max_examples=1000, deadline=None)
def test_matching_is_what_the_rfc_says(pattern: str, name: str) -> None:
    assert Pattern(pattern).matches(name) is naive(pattern, name)


@pytest.mark.parametrize(
    ("pattern", "name", "matched"),
    [
        ("inbox", "INBOX", True),
        ("iNb%", "INBOX", True),
        ("inbox/a", "INBOX/a", True),
        ("inbox/A", "INBOX/a", False),
        ("INBOX2", "inbox2", False),
        ("*", "INBOX", True),
        ("%", "a/b", False),
        ("%/%", "a/b", True),
        ("a.c", "abc", False),
        ("[a]", "a", False),
        ("", "", True),
        ("", "a", False),
    ],
)
def test_inbox_and_plain_characters(pattern: str, name: str, matched: bool) -> None:
    assert Pattern(pattern).matches(name) is matched


def test_many_stars_are_not_exponential() -> None:
    started = time.process_time()
    assert not Pattern("*" * 100_000 + "b").matches("a" * 1000)
    assert not Pattern("*a" * 500 + "b").matches("a" * 1000)
    assert not Pattern("%a*a" * 250 + "b").matches("a/" * 500)
    assert Pattern("%*" * 50_000).matches("a/b")
    assert time.process_time() - started < 1


NAMES = ["INBOX", "Sent", "a/b/c", "a/b/d", "Work", "Work/x", "INBOX/y"]


def test_parents_need_not_exist() -> None:
    assert parents_of(NAMES) == {"a", "a/b", "Work", "INBOX"}
    assert parents_of(["/a", "a//b", "a/"]) == {"a/", "a"}


def test_percent_at_the_end_finds_levels_without_a_mailbox() -> None:
    assert matches(NAMES, "", ["%"]) == [
        Match("INBOX", exists=True, has_children=True),
        Match("Sent", exists=True, has_children=False),
        Match("Work", exists=True, has_children=True),
        Match("a", exists=False, has_children=True),
    ]
    assert matches(NAMES, "a/", ["%"]) == [Match("a/b", exists=False, has_children=True)]


def test_star_finds_mailboxes_only_each_once() -> None:
    assert [found.name for found in matches(NAMES, "", ["*", "a/*", "inbox"])] == [
        "INBOX",
        "INBOX/y",
        "Sent",
        "Work",
        "Work/x",
        "a/b/c",
        "a/b/d",
    ]


def test_reference_is_put_before_the_pattern() -> None:
    assert [found.name for found in matches(NAMES, "Work/", ["*"])] == ["Work/x"]
    assert [found.name for found in matches(NAMES, "inb", ["ox"])] == ["INBOX"]
    assert matches(NAMES, "x", ["*"]) == []
