"""Browser sessions of the web admin: log in, who am I, log out."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, SecretStr

from mailraven_api.account import Role
from mailraven_api.domain import Text
from mailraven_api.model import Model


class Login(Model):
    """POST /api/v1/session."""

    address: Text
    password: Annotated[SecretStr, Field(max_length=1024)]
    code: Annotated[SecretStr, Field(max_length=100)] | None = None
    """Of the authenticator, or a recovery code; for accounts with a second factor."""


class SessionInfo(Model):
    """Who the credential belongs to."""

    actor: str
    """An address, or `token NAME`."""
    address: Text | None
    role: Role
    must_enrol: bool
    """The domain demands a second factor that the account has not set up: until then nothing else is possible."""
    csrf_token: str | None
    """Goes into the header X-CSRF-Token of each change; null: this is no browser session."""
    expires_at: datetime | None
