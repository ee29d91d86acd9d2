"""Bans: networks whose clients are refused on all servers."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from mailraven_api.model import Model

BannedNetwork = Annotated[str, Field(min_length=2, max_length=64)]


class BanCreate(Model):
    """POST /api/v1/bans."""

    network: BannedNetwork
    """An address, or a network in CIDR notation."""
    minutes: int | None = Field(default=None, gt=0, le=5_256_000)
    """For so long. Not set: until it is lifted; SMTP clients then hear a permanent refusal."""
    reason: str = Field(default="", max_length=500)
    """For those who look at it later; clients are not told."""


class Ban(Model):
    """A network that is refused, or was."""

    network: BannedNetwork
    reason: str
    created_by: str
    """Empty: the server itself."""
    offences: int
    """How often it was banned; each time it is for longer."""
    created_at: datetime
    until: datetime | None
    """Null: until it is lifted."""
    active: bool
    """Whether it holds now."""
