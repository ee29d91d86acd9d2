"""Service credentials of the admin API: 32 random bytes, shown once, stored as SHA-256."""

from __future__ import annotations

import hashlib
import re
import secrets

from mailraven.db import Connection
from mailraven.directory.errors import InvalidValue, NoSuchToken, TokenExists

PREFIX = "mr_"  # lets secret scanners find one in the wrong place
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@/-]{0,99}")
_SECRET = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")


async def create_token(connection: Connection, name: str) -> str:
    """The secret: nobody can read it again. Raises TokenExists, InvalidValue."""
    secret = PREFIX + secrets.token_urlsafe(32)
    await store_token(connection, name, secret)
    return secret


async def store_token(connection: Connection, name: str, secret: str) -> None:
    """Let a secret made elsewhere (a Kubernetes Secret, a file) be `name`'s. Raises as create_token."""
    if not _NAME.fullmatch(name):
        raise InvalidValue("a token's name has 1 to 100 letters, digits, spaces and . _ @ / -")
    if not _SECRET.fullmatch(secret):
        raise InvalidValue(f"a token is {PREFIX} and 32 random bytes in URL-safe base64")
    status = await connection.execute(
        "INSERT INTO api_token (name, sha256) VALUES ($1, $2) ON CONFLICT DO NOTHING", name, _digest(secret)
    )
    if status != "INSERT 0 1":
        raise TokenExists(f"token {name} exists")


async def verify_token(connection: Connection, secret: str) -> str | None:
    """The token's name. The look-up is by digest, so its time says nothing about the secret."""
    if not _SECRET.fullmatch(secret):
        return None
    name: str | None = await connection.fetchval("SELECT name FROM api_token WHERE sha256 = $1", _digest(secret))
    return name


async def delete_token(connection: Connection, name: str) -> None:
    """Raises NoSuchToken."""
    if await connection.execute("DELETE FROM api_token WHERE name = $1", name) != "DELETE 1":
        raise NoSuchToken(f"no token {name}")


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
