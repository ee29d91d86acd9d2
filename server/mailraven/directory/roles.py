"""What an account or a token may do at most, and to which domains. Pure."""

from __future__ import annotations

import enum


class Role(enum.StrEnum):
    """From the least to the most."""

    USER = "user"  # himself only
    DOMAIN_ADMIN = "domain-admin"  # his domains
    SUPER_ADMIN = "super-admin"  # everything

    @property
    def rank(self) -> int:
        """A higher one may do all that a lower one may."""
        return _RANKS[self]

    @property
    def is_admin(self) -> bool:
        """Of domains or of everything."""
        return self is not Role.USER


_RANKS = {role: rank for rank, role in enumerate(Role)}


def least(*roles: Role) -> Role:
    """The one of them that may do the least."""
    return min(roles, key=lambda role: role.rank)
