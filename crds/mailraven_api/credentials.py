"""Credentials of an account: password, second factor, recovery codes, app passwords, sessions."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from mailraven_api.account import Role
from mailraven_api.domain import Text
from mailraven_api.model import Model

MailProtocol = Literal["smtp", "imap"]
Password = Annotated[SecretStr, Field(min_length=1, max_length=1024)]
Code = Annotated[SecretStr, Field(min_length=1, max_length=100)]


class Me(Model):
    """Who asks, and what is his."""

    actor: str
    """The address of an account, or `token NAME`."""
    role: Role
    address: Text | None
    """Of the account; null for a token that acts for none."""
    display_name: str = ""
    domains: tuple[str, ...] = ()
    """That he may administer; of a super-admin empty: all."""
    scopes: tuple[str, ...]
    """What the token or the session may do."""
    quota_bytes: int | None = None
    used_bytes: int = 0
    totp: bool = False
    """The account has a second factor."""
    must_enrol: bool = False
    """Its domain demands one: until then nothing but enrolment is possible here."""
    recovery_codes: int = 0
    """How many are left."""


class OwnPassword(Model):
    """PUT /api/v1/me/password."""

    old_password: Password
    new_password: Password
    delete_app_passwords: bool = False
    """Also all app passwords: when somebody else may have got in."""


class NewPassword(Model):
    """PUT /api/v1/accounts/{address}/password. Exactly one of the two."""

    password: Password | None = None
    password_hash: Annotated[SecretStr, Field(max_length=512)] | None = None
    """An argon2id hash in PHC format, made elsewhere: for migrations, and for super-admins only."""
    delete_app_passwords: bool = False
    """Also all app passwords: when somebody else may have got in."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.password is None) == (self.password_hash is None):
            raise ValueError("expected either password or password_hash")
        return self


class Confirmation(Model):
    """The own password, once more: before credentials change."""

    password: Password


class TotpEnrolment(Model):
    """Shown once; in force when a code made with it is confirmed."""

    secret: str
    """In base32, to be typed into an authenticator."""
    uri: str
    """The same as otpauth:// URI, for a QR code."""


class TotpCode(Model):
    """POST /api/v1/me/totp/confirm."""

    code: Code
    """Six digits of the authenticator."""


class BothFactors(Confirmation):
    """Both factors, once more: to remove the second one, or for new recovery codes."""

    code: Code
    """Six digits of the authenticator, or a recovery code."""


class RecoveryCodes(Model):
    """Shown once. Each opens the second factor once, in place of the authenticator."""

    codes: tuple[str, ...]


class AppPasswordCreate(Model):
    """POST /api/v1/accounts/{address}/app-passwords."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    """What uses it: "phone", "laptop"."""
    protocols: Annotated[tuple[MailProtocol, ...], Field(min_length=1, max_length=2)] = ("smtp", "imap")
    expires_at: datetime | None = None
    """Not set: never."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.expires_at is not None and self.expires_at.tzinfo is None:
            raise ValueError("a time needs its offset from UTC, as in 2026-08-01T08:00:00+02:00")
        return self


class AppPassword(Model):
    """What can be known of an app password afterwards."""

    id: int
    name: str
    protocols: tuple[MailProtocol, ...]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    """To the hour."""


class AccountAppPassword(AppPassword):
    """With the account that it is for."""

    address: Text


class AppPasswordSecret(AppPassword):
    """With the password itself, which is shown this once."""

    password: str
    """Case, spaces and hyphens make no difference when it is typed."""


class BrowserSession(Model):
    """Somebody logged in to the web admin."""

    id: str
    """Names the session, and opens nothing."""
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    ip: str
    user_agent: str
