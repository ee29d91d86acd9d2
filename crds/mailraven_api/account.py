"""An account: its desired state (MailUser), and what the API shows of it."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import Field, SecretStr, model_validator

from mailraven_api.domain import Labels, Text
from mailraven_api.limits import AccountLimits
from mailraven_api.model import Model

Protocol = Literal["smtp", "imap", "http", "receive"]
Role = Literal["user", "domain-admin", "super-admin"]
DisplayName = Annotated[str, Field(max_length=200)]
Quota = Annotated[int, Field(gt=0, lt=2**63)]
Disabled = Annotated[tuple[Protocol, ...], Field(max_length=4)]
Password = Annotated[SecretStr, Field(max_length=1024)]
PasswordHash = Annotated[SecretStr, Field(max_length=1024)]
_Account = TypeVar("_Account", bound="AccountPut | AccountPatch")


class Forwarding(Model):
    """Where mail of an account goes beside or instead of its mailbox."""

    targets: Annotated[tuple[Text, ...], Field(min_length=1, max_length=100)]
    """Addresses, here or elsewhere."""
    keep_copy: bool = True
    """Also deliver to the mailbox. Without a copy mail is kept here only where no target exists."""


class Vacation(Model):
    """The answer while somebody is away. It is stored and shown only: this version sends no automatic answers."""

    enabled: bool = False
    """Whether it is on."""
    subject: Annotated[str, Field(max_length=200)] = ""
    """Of the answer."""
    text: Annotated[str, Field(max_length=10_000)] = ""
    """Of the answer."""
    starts_at: datetime | None = None
    """Not set: at once."""
    ends_at: datetime | None = None
    """Not set: until it is switched off."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        for moment in (self.starts_at, self.ends_at):
            if moment is not None and moment.tzinfo is None:
                raise ValueError("a time needs its offset from UTC, as in 2026-08-01T08:00:00+02:00")
        if self.starts_at is not None and self.ends_at is not None and self.ends_at <= self.starts_at:
            raise ValueError("ends_at has to be after starts_at")
        return self


class AccountSpec(Model):
    """The desired state of an account. The role is set by the admins' routes."""

    display_name: DisplayName = ""
    quota_bytes: Quota | None = None
    """Octets. null: no quota. Left out: a new account gets the default of its domain, another keeps what it has."""
    suspended: bool = False
    """Receives nothing and logs in nowhere."""
    disabled: Disabled = ()
    """Protocols that refuse the account; `receive`: mail to it is refused."""
    limits: AccountLimits = AccountLimits()
    """In place of the limits of the domain."""
    labels: Labels = {}
    forwarding: Forwarding | None = None
    vacation: Vacation | None = None


class AccountPut(AccountSpec):
    """PUT /api/v1/accounts/{address}."""

    password: Password | None = None
    """Left out or null: a new account has no password, another keeps its own."""
    password_hash: PasswordHash | None = None
    """In its place: an argon2id hash (PHC format) that was made elsewhere."""

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        return _one_password(self)


class AccountCreate(AccountPut):
    """POST /api/v1/accounts."""

    address: Text


class AccountPatch(Model):
    """PATCH /api/v1/accounts/{address}: what is left out stays."""

    display_name: DisplayName = ""
    quota_bytes: Quota | None = None
    suspended: bool = False
    disabled: Disabled = ()
    limits: AccountLimits = AccountLimits()
    labels: Labels = {}
    forwarding: Forwarding | None = None
    vacation: Vacation | None = None
    password: Password | None = None
    """Only an admin's to set here; people change their own where they prove the old one."""
    password_hash: PasswordHash | None = None

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        return _one_password(self)


def _one_password(account: _Account) -> _Account:
    if account.password is not None and account.password_hash is not None:
        raise ValueError("expected a password or a password_hash, not both")
    return account


class Account(Model):
    """An account as it is."""

    address: Text
    domain: str
    display_name: str
    role: Role
    suspended: bool
    disabled: tuple[Protocol, ...]
    quota_bytes: int | None
    used_bytes: int
    messages: int
    """That it holds."""
    limits: AccountLimits
    labels: Labels
    forwarding: Forwarding | None
    vacation: Vacation | None
    sending_held: str | None
    """Why its outgoing mail waits; null: it does not."""
    has_password: bool
    totp: bool
    """A second factor is set up."""
    version: int
    """Rises with each change; the ETag."""
    created_at: datetime
    updated_at: datetime


class MailboxUsage(Model):
    """What a mailbox holds."""

    name: str
    messages: int
    unseen: int
    bytes: int


class Usage(Model):
    """What an account holds."""

    used_bytes: int
    quota_bytes: int | None
    messages: int
    mailboxes: tuple[MailboxUsage, ...]


# Names of older clients -> ours.
_FLAT = {
    "email": "address",
    "username": "address",
    "full_name": "display_name",
    "name": "display_name",
    "quota": "quota_bytes",
}


def _ours(value: object) -> object:
    """The document with the names of older clients replaced; `status` and `enabled` become `suspended`."""
    if not isinstance(value, dict):
        return value
    document: dict[Any, Any] = {}
    for name, item in value.items():
        key = _FLAT.get(name, name)
        if name == "status":
            if item not in ("active", "suspended", "disabled"):
                raise ValueError('expected the status "active" or "suspended"')
            key, item = "suspended", item != "active"
        elif name == "enabled":
            if not isinstance(item, bool):
                raise ValueError("expected true or false as enabled")
            key, item = "suspended", not item
        if key in document:
            raise ValueError(f"{key} is given twice, by several names")
        document[key] = item
    return document


class FlatAccountCreate(AccountCreate):
    """POST /api/users: also `email` or `username`, `full_name` or `name`, `quota`, and `status` or `enabled`."""

    @model_validator(mode="before")
    @classmethod
    def _accept_flat(cls, value: object) -> object:
        return _ours(value)


class FlatAccountPatch(AccountPatch):
    """PUT /api/users/{address}: by the same names; what is left out stays."""

    @model_validator(mode="before")
    @classmethod
    def _accept_flat(cls, value: object) -> object:
        return _ours(value)


class FlatAccount(Account):
    """An account, also with the names of older clients."""

    email: Text
    full_name: str
    quota: int | None
    status: Literal["active", "suspended"]

    @classmethod
    def of(cls, account: Account) -> Self:
        """The same by both names."""
        return cls.model_validate(
            account.model_dump()
            | {
                "email": account.address,
                "full_name": account.display_name,
                "quota": account.quota_bytes,
                "status": "suspended" if account.suspended else "active",
            }
        )
