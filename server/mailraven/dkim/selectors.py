"""Selectors: names of keys below _domainkey (RFC 6376 §3.1)."""

from __future__ import annotations

import datetime as dt
import itertools
import re
import string
from collections.abc import Collection, Iterator

SELECTOR_PATTERN = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"
SELECTOR_MAX = 63
_SELECTOR = re.compile(SELECTOR_PATTERN)


def is_selector(text: str) -> bool:
    """Labels of a host name, in lower case (RFC 6376 §3.1: sub-domain *( "." sub-domain ))."""
    return len(text) <= SELECTOR_MAX and _SELECTOR.fullmatch(text) is not None


def next_selector(taken: Collection[str], now: dt.datetime) -> str:
    """Dated, the first that is free: mr202611a, mr202611b, ..., mr202611aa."""
    stem = f"mr{now:%Y%m}"
    return next(name for suffix in _suffixes() if (name := stem + suffix) not in taken)


def _suffixes() -> Iterator[str]:
    for length in itertools.count(1):
        for letters in itertools.product(string.ascii_lowercase, repeat=length):
            yield "".join(letters)
