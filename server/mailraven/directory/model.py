"""Values that the directory answers with: where mail for an address goes, and who signed in."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime


class Route(enum.Enum):
    """What the domain knows the address as."""

    ACCOUNT = "account"
    ALIAS = "alias"
    POSTMASTER = "postmaster"  # nobody is called so: the domain's oldest active account answers
    CATCH_ALL = "catch-all"


@dataclass(frozen=True, slots=True)
class LocalAccount:
    """`address` is canonical; `used_bytes` is counted only where there is a quota; some seconds old."""

    account_id: int
    address: str
    quota_bytes: int | None = None
    used_bytes: int = 0

    @property
    def quota_left(self) -> int | None:
        """Octets until the quota is reached, at least 0; None: no quota."""
        return None if self.quota_bytes is None else max(0, self.quota_bytes - self.used_bytes)


@dataclass(frozen=True, slots=True)
class Targets:
    """Mail goes to these mailboxes and to these foreign addresses; at least one of both.

    `owners` are the accounts whose address it is, before forwarding; `screened` are (domain, account) ids of those on
    the way that have rules about senders.
    """

    accounts: tuple[LocalAccount, ...]
    remote: tuple[str, ...] = ()
    route: Route = Route.ACCOUNT
    owners: tuple[int, ...] = ()
    screened: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class NotLocalDomain:
    """The domain is not ours: relaying needs authentication."""


@dataclass(frozen=True, slots=True)
class UnknownRecipient:
    """The domain is ours, the address leads nowhere: 550 5.1.1."""


@dataclass(frozen=True, slots=True)
class Suspended:
    """The domain or every account the address leads to is suspended: 550 5.2.1.

    `owners` are accounts that only do not receive.
    """

    owners: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Blocked:
    """Nobody whom the address leads to takes mail of this sender: 550 5.7.1."""


Resolution = Targets | NotLocalDomain | UnknownRecipient | Suspended | Blocked


@dataclass(frozen=True, slots=True)
class Identity:
    """Who signed in. `address` is the account's canonical address."""

    account_id: int
    address: str
    display_name: str = ""
    domain_id: int = 0
    role: str = "user"
    credential_version: int = 1
    """Of the account at that moment: it has risen since where this session has to end."""
    totp: bool = False
    """The account has a confirmed second factor."""
    totp_enforced: bool = False
    """Its domain demands one."""
    app_password: int | None = None
    """Signed in with this app password, not with the account's own."""


@dataclass(frozen=True, slots=True)
class Domain:
    """A row of the list of domains."""

    id: int
    name: str
    suspended: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Account:
    """A row of the list of accounts."""

    id: int
    address: str
    display_name: str
    suspended: bool
    quota_bytes: int | None
    used_bytes: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Alias:
    """An alias with all its targets. The localpart '*' is the domain's catch-all."""

    address: str
    targets: tuple[str, ...]
