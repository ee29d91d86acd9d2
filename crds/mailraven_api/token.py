"""Bearer tokens of the admin API."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, model_validator

from mailraven_api.account import Role
from mailraven_api.domain import Name, Text
from mailraven_api.model import Model

TokenName = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._@/-]*$")]
Scope = Annotated[str, Field(max_length=40)]


class TokenCreate(Model):
    """POST /api/v1/tokens. What is left out is that of the one who asks."""

    name: TokenName
    role: Role | None = None
    """At most this; never more than the account it acts as."""
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1, max_length=50)] | None = None
    """`*`, `read`, `RESOURCE:read`, `RESOURCE:write`."""
    account: Text | None = None
    """It acts as this account. Not set: of a super-admin a service, else as oneself."""
    domains: Annotated[tuple[Name, ...], Field(max_length=1000)] = ()
    """Only these domains."""
    expires_at: datetime | None = None
    """Not set: as late as may be."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.expires_at is not None and self.expires_at.tzinfo is None:
            raise ValueError("a time needs its offset from UTC, as in 2026-08-01T08:00:00+02:00")
        return self


class Token(Model):
    """What can be known of a token afterwards."""

    name: TokenName
    role: Role
    scopes: tuple[Scope, ...]
    account: Text | None
    """It acts as this account; null: it is a service's."""
    domains: tuple[Name, ...]
    """It is restricted to these; of a super-admin empty: all."""
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    """To the minute."""
    created_by: str


class TokenSecret(Token):
    """With the secret, which is shown this once."""

    token: str
