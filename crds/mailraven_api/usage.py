"""What is used of limits, and which of them hold."""

from datetime import datetime

from mailraven_api.limits import Event, Scope
from mailraven_api.model import Model


class EffectiveLimit(Model):
    """A limit that holds for somebody."""

    scope: Scope
    event: Event
    count: int
    window_minutes: int
    source: str
    """Where it comes from: "policy NAME", "account", "domain", "template" or "default"."""
    action: str
    """`reject`, `ban` or `log`."""


class LimitUsage(EffectiveLimit):
    """How much of it is used in the window that runs now."""

    used: int
    """Servers take small portions before they use them, for two seconds at most: those are part of it."""
    remaining: int
    resets_at: datetime | None
    """When the window ends, or the bucket is full again. Null: nothing is used."""
