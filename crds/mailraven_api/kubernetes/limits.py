"""Rate limits in camelCase; those of the API, but for a window that stays as it was written."""

from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from mailraven_api import limits as api
from mailraven_api.kubernetes.form import Form
from mailraven_api.kubernetes.meta import KubeModel
from mailraven_api.kubernetes.rule import rules


class Limit(KubeModel):
    """At most `count` events in a window that begins with the first of them."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            ("has(self.window) != has(self.windowMinutes)", "expected either window or windowMinutes")
        )
    )

    count: Annotated[int, Field(gt=0, le=1_000_000_000)]
    """Events allowed in a window."""
    window: (
        Annotated[
            str,
            Field(max_length=10),
            Form(r"(minute|hour|day|[0-9]{1,6}(m|min|h|d))", "a window such as minute, hour, day, 15m, 2h or 1d"),
        ]
        | None
    ) = None
    """Length of the window: minute, hour, day, or a number of them such as 15m, 2h, 1d; 31 days at most."""
    window_minutes: Annotated[int, Field(gt=0, le=api.MAX_WINDOW_MINUTES)] | None = None
    """Length of the window in minutes."""

    @model_validator(mode="after")
    def _one_window(self) -> Self:
        if (self.window is None) == (self.window_minutes is None):
            raise ValueError("expected either window or windowMinutes")
        if not 0 < self.minutes <= api.MAX_WINDOW_MINUTES:
            raise ValueError("expected a window of at least a minute and at most 31 days")
        return self

    @property
    def minutes(self) -> int:
        """The window in minutes."""
        return api.minutes_of(self.window) if self.window is not None else self.window_minutes or 0


def _distinct(limits: tuple[Limit, ...]) -> tuple[Limit, ...]:
    if len({limit.minutes for limit in limits}) != len(limits):
        raise ValueError("two limits have the same window")
    return limits


Limits = Annotated[tuple[Limit, ...], Field(max_length=4), BeforeValidator(api.several), AfterValidator(_distinct)]
"""Several limits hold at once. An empty list: no limit."""
SomeLimits = Annotated[
    tuple[Limit, ...], Field(min_length=1, max_length=4), BeforeValidator(api.several), AfterValidator(_distinct)
]
"""At least one."""


class AccountLimits(KubeModel):
    """Limits of one account that take the place of its domain's. Not set: those of the domain."""

    messages: Limits | None = None
    """Messages submitted."""
    recipients: Limits | None = None
    """Recipients of submitted messages."""
    auth_failures: Limits | None = None
    """Failed log-ins with this account's name."""


class DomainLimits(KubeModel):
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
