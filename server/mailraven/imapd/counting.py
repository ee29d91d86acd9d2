"""Metrics of commands. Only names of the table become labels; there are few, so each is looked up once."""

from __future__ import annotations

import functools

from prometheus_client import Counter, Histogram

from mailraven.imap.response import Condition
from mailraven.imapd.table import COMMANDS
from mailraven.telemetry import metrics


def count(name: str, condition: Condition) -> None:
    """One command is answered."""
    _counter(name if name in COMMANDS else "", condition).inc()


def took(name: str, seconds: float) -> None:
    """How long it was until then."""
    _histogram(name if name in COMMANDS else "").observe(seconds)


@functools.cache
def _counter(name: str, condition: Condition) -> Counter:
    return metrics.IMAP_COMMANDS.labels(_label(name), condition.value.lower())


@functools.cache
def _histogram(name: str) -> Histogram:
    return metrics.IMAP_COMMAND_SECONDS.labels(_label(name))


def _label(name: str) -> str:
    return name.lower().replace(" ", "_") or "unknown"
