"""Settings that change without a restart, in groups (PUT /api/v1/settings/{group})."""

from datetime import datetime
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import Field

from mailraven_api.domain import Text
from mailraven_api.model import Model
from mailraven_api.policy import Networks


class LimitSettings(Model):
    """Limits that hold for the whole server, and who is exempt from limits and bans."""

    exempt_networks: Networks = ("127.0.0.1/32", "::1/128")
    """Clients that are never counted by address or token, and never banned. This host itself by default."""
    exempt_accounts: Annotated[tuple[Text, ...], Field(max_length=1000)] = ()
    """Accounts whose messages are not counted."""
    exempt_senders: Annotated[tuple[Text, ...], Field(max_length=1000)] = ()
    """Envelope senders, or whole domains of them, whose messages are not counted."""
    max_connections_per_ip: int = Field(default=10, gt=0, le=100_000)
    """Connections at a time from one address, in one process and protocol."""
    api_burst: int = Field(default=10, ge=0, le=100_000)
    """API requests that an address may make at once beyond its rate."""


class BanSettings(Model):
    """Addresses that exceed limits again and again are banned."""

    enabled: bool = True
    threshold: int = Field(default=5, gt=0, le=10_000)
    """Violations that lead to a ban."""
    window_minutes: int = Field(default=60, gt=0, le=44_640)
    """In this time."""
    duration_minutes: int = Field(default=60, gt=0, le=525_600)
    """Of the first ban."""
    growth: float = Field(default=4.0, ge=1.0, le=100.0)
    """Each further ban of the same address is so many times longer."""
    max_duration_minutes: int = Field(default=43_200, gt=0, le=5_256_000)
    """But never longer than this."""


class GuardSettings(Model):
    """When an account writes like one that was taken over: its queue is held, and an alert is logged."""

    enabled: bool = True
    new_recipients_per_day: int = Field(default=200, gt=0, le=10_000_000)
    """Foreign recipients that the account never wrote to before."""
    bounce_minimum: int = Field(default=20, gt=0, le=1_000_000)
    """Bounces in a day before their rate counts."""
    bounce_percent: int = Field(default=30, gt=0, le=100)
    """Of the deliveries tried in a day."""


class PasswordSettings(Model):
    """What a new password has to be."""

    min_length: int = Field(default=8, ge=8, le=128)
    admin_min_length: int = Field(default=12, ge=8, le=128)
    """For admins."""
    reject_common: bool = True
    """Refuse passwords that everybody guesses first."""
    min_strength: int = Field(default=2, ge=0, le=4)
    """0 takes everything; 4 needs about 10^10 guesses."""


class AdminSettings(Model):
    """The admin API and the web admin."""

    allowed_networks: Networks = ()
    """From where admins may come; empty: from everywhere."""
    session_idle_minutes: int = Field(default=30, gt=0, le=44_640)
    session_hours: int = Field(default=12, gt=0, le=744)
    """A browser session ends after this, used or not."""
    token_days: int | None = Field(default=None, gt=0, le=3660)
    """Longest life of a token made from now on."""


class MailSettings(Model):
    """What all domains share."""

    max_message_size: int | None = Field(default=None, ge=1024, le=1 << 30)
    """Octets of a message; not set: smtp.max_message_size of the configuration."""


GROUPS: dict[str, type[Model]] = {
    "limits": LimitSettings,
    "bans": BanSettings,
    "guard": GuardSettings,
    "passwords": PasswordSettings,
    "admin": AdminSettings,
    "mail": MailSettings,
}
Group = Literal["limits", "bans", "guard", "passwords", "admin", "mail"]

GroupValue = TypeVar("GroupValue", bound=Model)


class StoredSettings(Model, Generic[GroupValue]):
    """A group of settings, and who changed it."""

    value: GroupValue
    """What holds; the fields that nobody set have their defaults."""
    version: int
    """Rises with each change; the ETag. 0: nobody has changed it yet."""
    changed_by: str
    changed_at: datetime | None


class AllSettings(Model):
    """All groups."""

    limits: StoredSettings[LimitSettings]
    bans: StoredSettings[BanSettings]
    guard: StoredSettings[GuardSettings]
    passwords: StoredSettings[PasswordSettings]
    admin: StoredSettings[AdminSettings]
    mail: StoredSettings[MailSettings]
