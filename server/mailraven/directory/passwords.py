"""Password hashes: argon2id in a small thread pool with a bounded queue (RFC 9106, RFC 8265 OpaqueString)."""

from __future__ import annotations

import asyncio
import secrets
import threading
import unicodedata
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import argon2
import structlog

from mailraven.directory.errors import DirectoryUnavailable, WeakPassword
from mailraven.directory.password_policy import check_hash, check_password
from mailraven_api.settings import PasswordSettings

T = TypeVar("T")

MINIMUM_LENGTH = 8
MAXIMUM_OCTETS = 1024

_log = structlog.get_logger(component="directory")

# 19 MiB and two passes (OWASP's choice of argon2id parameters): some 25 ms. One lane, because the pool runs
# several hashes at a time anyway; with RFC 9106's 64 MiB two logins would take more than a worker's memory.
_PARAMETERS = argon2.Parameters(
    type=argon2.Type.ID,
    version=19,
    salt_len=16,
    hash_len=32,
    time_cost=2,
    memory_cost=19 * 1024,
    parallelism=1,
)


def prepare_password(password: str) -> str | None:
    """The form that is hashed, on setting and on verifying; None: no password can look like this.

    RFC 8265 §4.2.2: other spaces become U+0020, NFC, case kept; empty and controls are refused.
    """
    if not password or len(password) > MAXIMUM_OCTETS:
        return None
    if not password.isascii():
        password = "".join(" " if unicodedata.category(c) == "Zs" else c for c in password)
        password = unicodedata.normalize("NFC", password)
    if any(unicodedata.category(c) in {"Cc", "Cs"} for c in password):
        return None
    return password if len(password.encode()) <= MAXIMUM_OCTETS else None


def _settable(password: str) -> str:
    prepared = prepare_password(password)
    if prepared is None:
        raise WeakPassword(f"a password has no control characters and is at most {MAXIMUM_OCTETS} octets long")
    if len(prepared) < MINIMUM_LENGTH:
        raise WeakPassword(f"a password has at least {MINIMUM_LENGTH} characters")
    return prepared


class Passwords:
    """Hashes and verifies off the event loop. Beyond `waiting` queued ones the answer is «later»."""

    def __init__(
        self,
        *,
        threads: int = 2,
        waiting: int = 128,
        parameters: argon2.Parameters = _PARAMETERS,
        policy: Callable[[], PasswordSettings] = PasswordSettings,
    ) -> None:
        self._policy = policy
        self._hasher = argon2.PasswordHasher.from_parameters(parameters)
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="password")
        self._limit = threads + waiting
        self._pending = 0
        self._counting = threading.Lock()
        self._dummy: str | None = None

    async def hash(self, password: str) -> str:
        """The PHC string of a new password. Raises WeakPassword, DirectoryUnavailable."""
        prepared = _settable(password)
        return await self._run(lambda: self._hasher.hash(prepared))

    async def hash_new(self, password: str, *, inputs: Iterable[str] = (), admin: bool = False) -> str:
        """As hash(), of a password that somebody chose: it has to meet the policy. `inputs`: his address and name."""
        prepared, settings = _settable(password), self._policy()

        def work() -> str:
            check_password(prepared, settings, inputs=inputs, admin=admin)
            return self._hasher.hash(prepared)

        return await self._run(work)

    async def accept_hash(self, text: str) -> str:
        """An argon2id hash made elsewhere, for migrations. Raises InvalidValue, DirectoryUnavailable."""
        return await self._run(lambda: check_hash(text))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Compare. Without a stored hash (no such account) the answer is no and costs the same."""
        prepared = prepare_password(password)
        return await self._run(lambda: self._verify(stored, prepared))

    async def rehash(self, stored: str, password: str) -> str | None:
        """A new hash of a password that was just verified, when the stored one has other parameters."""
        prepared = prepare_password(password)
        if prepared is None or not self._hasher.check_needs_rehash(stored):
            return None
        return await self._run(lambda: self._hasher.hash(prepared))

    def close(self) -> None:
        """Start nothing more; what runs ends in milliseconds."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _verify(self, stored: str | None, prepared: str | None) -> bool:
        if self._dummy is None:  # two threads may both make one: harmless
            self._dummy = self._hasher.hash(secrets.token_hex())
        try:
            self._hasher.verify(stored or self._dummy, prepared or "-")
        except argon2.exceptions.VerifyMismatchError:
            return False
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            _log.error("stored password hash cannot be read")
            return False
        return bool(stored) and prepared is not None

    async def _run(self, work: Callable[[], T]) -> T:
        if self._pending >= self._limit:
            raise DirectoryUnavailable("too many logins at once")
        with self._counting:
            self._pending += 1
        # Counted down when the thread is done, not when the caller gives up: cancelling does not stop a hash.
        future = self._pool.submit(work)
        future.add_done_callback(self._done)
        return await asyncio.wrap_future(future)

    def _done(self, _: Future[T]) -> None:
        with self._counting:
            self._pending -= 1
