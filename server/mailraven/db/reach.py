"""What went wrong on the way to Postgres, in words for the person who reads the log: which server, and why."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import asyncpg

from mailraven.config.errors import ConfigError


class DatabaseUnavailable(Exception):
    """Postgres cannot be reached, is starting, stopping or out of resources: the same request may succeed later."""


@contextmanager
def reaching(dsn: str) -> Iterator[None]:
    """Around a connect. Raises DatabaseUnavailable, with the server's address and without a secret, or ConfigError."""
    server = f"database {address_of(dsn)}".rstrip()
    try:
        yield
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as error:
        raise DatabaseUnavailable(f"{server} refuses the connection: {error}") from error
    except asyncpg.exceptions.ClientConfigurationError as error:
        raise ConfigError([f"database.url (variable MAILRAVEN_DATABASE__URL): {error}"]) from error
    except (OSError, asyncpg.PostgresError, asyncpg.InternalClientError, asyncpg.InterfaceError) as error:
        raise DatabaseUnavailable(f"{server} does not answer: {reason_of(error)}") from error


def address_of(dsn: str) -> str:
    """host:port of a URL; nothing when it is a socket of this machine."""
    try:
        return urlsplit(dsn).netloc.rpartition("@")[2]
    except ValueError:
        return ""


def reason_of(error: BaseException) -> str:
    """A few words, such as "Connection refused"."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, socket.gaierror):
        return f"no such host ({error.strerror})"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    # Of several addresses each with its own error, asyncio makes one text.
    text = str(error).partition("\n")[0][:300]
    return text or type(error).__name__
