"""Checks of the whole: `verify data` (is everything as the invariants say) and `verify system` (can it do its work)."""

from mailraven.verify.finding import Finding, Severity

__all__ = ["Finding", "Severity"]
