"""Rate limits: so many events in a window, and where they are counted (features: limits of RateLimitPolicy)."""

import json
import re
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from mailraven_api.model import Model

_WORDS = {"minute": 1, "hour": 60, "day": 1440}
_WINDOW = re.compile(r"(\d{1,6})\s*(m|min|h|d)")
_UNITS = {"m": 1, "min": 1, "h": 60, "d": 1440}
MAX_WINDOW_MINUTES = 31 * 1440


class Event(StrEnum):
    """What is counted."""

    SMTP_CONNECTIONS = "smtp_connections"
    SMTP_MESSAGES = "smtp_messages"
    MESSAGES = "messages"
    RECIPIENTS = "recipients"
    AUTH_FAILURES = "auth_failures"
    API_REQUESTS = "api_requests"


class Scope(StrEnum):
    """Whose events are counted together."""

    IP = "ip"
    ACCOUNT = "account"
    DOMAIN = "domain"
    TOKEN = "token"  # noqa: S105 - a name


class Limit(Model):
    """At most `count` events in a window that begins with the first of them."""

    count: int = Field(gt=0, le=1_000_000_000)
    """Events allowed in a window."""
    window_minutes: int = Field(gt=0, le=MAX_WINDOW_MINUTES)
    """Length of the window. Written as `window` it may also be "minute", "hour", "day", "15m", "2h", "1d"."""

    @model_validator(mode="before")
    @classmethod
    def _accept_forms(cls, value: object) -> object:
        """Also `window`, and the whole as JSON in a string, as older clients send it."""
        if isinstance(value, str):
            value = _from_json(value)
        if isinstance(value, dict) and "window" in value and "window_minutes" not in value:
            value = dict(value)
            window = value.pop("window")
            value["window_minutes"] = minutes_of(window) if isinstance(window, str) else window
        return value

    @property
    def window_seconds(self) -> int:
        """The window in seconds."""
        return self.window_minutes * 60


def _from_json(text: str) -> object:
    if len(text) > 4096:
        raise ValueError("expected a limit as JSON, at most 4096 characters")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError('expected a limit such as {"count":50,"window_minutes":60}') from None


def minutes_of(window: str) -> int:
    """Minutes of "hour", "15m" and the like. Raises ValueError."""
    if window in _WORDS:
        return _WORDS[window]
    match = _WINDOW.fullmatch(window.strip())
    if match is None:
        raise ValueError('expected a window such as "minute", "hour", "day", "15m", "2h" or "1d"')
    return int(match[1]) * _UNITS[match[2]]


def several(value: object) -> object:
    """One limit stands for a list of one; JSON in a string may hold either."""
    if isinstance(value, str):
        value = _from_json(value)
    return [value] if isinstance(value, dict | Limit) else value


def _distinct_windows(limits: tuple[Limit, ...]) -> tuple[Limit, ...]:
    windows = [limit.window_minutes for limit in limits]
    if len(set(windows)) != len(windows):
        raise ValueError("two limits have the same window")
    return limits


Limits = Annotated[tuple[Limit, ...], BeforeValidator(several), Field(max_length=4)]
"""Several limits hold at once. An empty list: no limit."""


class AccountLimits(Model):
    """Limits of one account that take the place of its domain's. Not set: those of the domain."""

    messages: Limits | None = None
    """Messages submitted."""
    recipients: Limits | None = None
    """Recipients of submitted messages."""
    auth_failures: Limits | None = None
    """Failed log-ins with this account's name."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in type(self).model_fields:
            _distinct_windows(getattr(self, name) or ())
        return self


class DomainLimits(Model):
    """Limits of a domain. Those for each IP and token count before a domain is known: only `_default`'s are used."""

    smtp_connections_per_ip: Limits | None = None
    """SMTP connections from one address (IPv6: from one /64)."""
    smtp_messages_per_ip: Limits | None = None
    """Messages accepted from one address."""
    auth_failures_per_ip: Limits | None = None
    """Failed log-ins from one address, over all protocols."""
    auth_failures_per_account: Limits | None = None
    """Failed log-ins with one account's name."""
    messages_per_account: Limits | None = None
    """Messages that one account submits."""
    recipients_per_account: Limits | None = None
    """Recipients of the messages that one account submits."""
    messages_per_domain: Limits | None = None
    """Messages that all accounts of the domain submit together."""
    recipients_per_domain: Limits | None = None
    """Recipients of the messages that all accounts of the domain submit together."""
    api_requests_per_token: Limits | None = None
    """API requests with one token, or in one browser session."""
    api_requests_per_ip: Limits | None = None
    """API requests from one address: a token bucket, whose burst is the setting limits.api_burst."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in type(self).model_fields:
            _distinct_windows(getattr(self, name) or ())
        return self


def _limit(count: int, minutes: int) -> tuple[Limit, ...]:
    return (Limit(count=count, window_minutes=minutes),)


DEFAULT_LIMITS = DomainLimits(
    smtp_connections_per_ip=_limit(50, 60),
    smtp_messages_per_ip=_limit(1000, 60),
    auth_failures_per_ip=_limit(5, 15),
    auth_failures_per_account=_limit(20, 15),
    messages_per_account=_limit(100, 60),
    recipients_per_account=_limit(1000, 1440),
    messages_per_domain=_limit(1000, 60),
    recipients_per_domain=(),
    api_requests_per_token=_limit(1000, 60),
    api_requests_per_ip=_limit(60, 1),
)
"""What holds where neither a domain nor the template says anything."""


def merge(*documents: dict[str, Any]) -> dict[str, Any]:
    """Later documents over earlier ones, object by object; lists and plain values are replaced whole."""
    merged: dict[str, Any] = {}
    for document in documents:
        for key, value in document.items():
            known = merged.get(key)
            merged[key] = merge(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return merged
