"""Admins: accounts with rights over domains or the whole server."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mailraven_api.domain import Name, Text
from mailraven_api.model import Model

AdminRole = Literal["domain-admin", "super-admin"]


class AdminPut(Model):
    """PUT /api/v1/admins/{address}."""

    role: AdminRole
    domains: Annotated[tuple[Name, ...], Field(max_length=1000)] = ()
    """That a domain-admin administers, beside the domain of his own address."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.role == "super-admin" and self.domains:
            raise ValueError("a super-admin administers all domains: leave domains out")
        return self


class Admin(Model):
    """An account with rights."""

    address: Text
    role: AdminRole
    domains: tuple[Name, ...]
    """That he administers, his own too; of a super-admin empty: all."""
    totp: bool
    """He has a second factor."""
    suspended: bool
