"""Who a request comes from, what he may do, and what the path of the request names."""

from dataclasses import dataclass, replace
from datetime import datetime

from mailraven.directory.roles import Role


@dataclass(frozen=True, slots=True)
class DomainRef:
    """The domain that the path names."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class AccountRef:
    """The account that the path names."""

    id: int
    address: str
    domain_id: int
    role: Role
    domain_ids: frozenset[int] = frozenset()
    """What it administers as a domain-admin."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody whose credential was verified; or nobody, on the few public routes."""

    actor: str
    """For the audit log: an address, or "token NAME"."""
    role: Role
    account_id: int | None = None
    """None: a service, which is no user."""
    address: str | None = None
    domain_ids: frozenset[int] = frozenset()
    """What a domain-admin administers."""
    scopes: frozenset[str] = frozenset()
    ip: str = ""
    request_id: str = ""
    token: str | None = None
    """Name of the bearer token."""
    expires_at: datetime | None = None
    """When the token or the session ends."""
    session: bytes | None = None
    """Digest of the browser session's cookie."""
    must_enrol: bool = False
    """A browser session that may only set up its second factor."""
    the_domain: DomainRef | None = None
    the_account: AccountRef | None = None

    @property
    def domain(self) -> DomainRef:
        """What {domain} in the path names (Who.DOMAIN)."""
        if self.the_domain is None:
            raise LookupError("the route has no domain in its path")
        return self.the_domain

    @property
    def account(self) -> AccountRef:
        """What {address} in the path names (Who.ACCOUNT)."""
        if self.the_account is None:
            raise LookupError("the route has no account in its path")
        return self.the_account

    def may_admin(self, domain_id: int) -> bool:
        """Whether the domain is his to administer."""
        if self.role is Role.SUPER_ADMIN:
            return True
        return self.role is Role.DOMAIN_ADMIN and domain_id in self.domain_ids

    def outranked_by(self, account: AccountRef) -> bool:
        """Whether the account may do what he may not: who could set its password would get its rights."""
        if self.role is Role.SUPER_ADMIN or account.role.rank != self.role.rank:
            return account.role.rank > self.role.rank
        others = account.role is Role.DOMAIN_ADMIN and account.id != self.account_id
        return others and not account.domain_ids <= self.domain_ids

    def administered(self) -> frozenset[int] | None:
        """The domains that lists are filtered to; None: all."""
        if self.role is Role.SUPER_ADMIN:
            return None
        return self.domain_ids if self.role is Role.DOMAIN_ADMIN else frozenset()

    def has_scope(self, scope: str) -> bool:
        """`RESOURCE:read` is part of `read` and of `RESOURCE:write`."""
        if not scope or "*" in self.scopes or scope in self.scopes:
            return True
        resource, _, action = scope.partition(":")
        return action == "read" and bool(self.scopes & {"read", f"{resource}:write"})

    def at(self, *, domain: DomainRef | None = None, account: AccountRef | None = None) -> "Principal":
        """The same with what the path names."""
        return replace(self, the_domain=domain, the_account=account)
