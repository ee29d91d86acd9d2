"""One line of the audit log: who did what, from where, and what it changed. Never a secret."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Literal

Outcome = Literal["ok", "refused", "failed"]

TEXT_CHARACTERS = 1000
DETAIL_CHARACTERS = 64 * 1024
HIDDEN = "(not shown)"
# Whoever writes an entry leaves secrets out; these names are hidden even when somebody forgets.
_SECRET_NAMES = frozenset(
    {
        "code",
        "cookie",
        "csrf_token",
        "key",
        "otp",
        "password",
        "password_hash",
        "private_key",
        "recovery_codes",
        "secret",
        "token",
        "totp_secret",
    }
)


@dataclass(frozen=True, slots=True)
class Entry:
    """`before` and `after` are JSON objects; what is equal in both is not stored."""

    actor: str
    ip: str
    request_id: str
    action: str
    """As "domain.create", "session.login"."""
    target: str
    domain_id: int | None = None
    outcome: Outcome = "ok"
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


Row = tuple[str, str, str, str, str, int | None, str, str | None, str | None]


def to_row(entry: Entry) -> Row:
    """The columns, in a form that Postgres takes whatever a client sent."""
    before, after = _difference(entry.before, entry.after)
    return (
        _text(entry.actor),
        _text(entry.ip),
        _text(entry.request_id),
        _text(entry.action),
        _text(entry.target),
        entry.domain_id,
        entry.outcome,
        _json(before),
        _json(after),
    )


def _difference(
    before: dict[str, Any] | None, after: dict[str, Any] | None
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Both without what they share, object by object."""
    if before is None or after is None:
        return before, after
    old: dict[str, Any] = {}
    new: dict[str, Any] = {}
    for key in [*before, *(key for key in after if key not in before)]:
        was, now = before.get(key), after.get(key)
        if was == now and (key in before) == (key in after):
            continue
        if isinstance(was, dict) and isinstance(now, dict):
            was, now = _difference(was, now)
        if key in before:
            old[key] = was
        if key in after:
            new[key] = now
    return old, new


def _json(document: dict[str, Any] | None) -> str | None:
    if document is None:
        return None
    text = json.dumps(_clean(document), ensure_ascii=False, default=str)
    return text if len(text) <= DETAIL_CHARACTERS else json.dumps({"too_long": len(text)})


def _clean(value: Any) -> Any:
    match value:
        case dict():
            return {
                _storable(str(key)): HIDDEN if key in _SECRET_NAMES and item else _clean(item)
                for key, item in value.items()
            }
        case list() | tuple() | set() | frozenset():
            return [_clean(item) for item in value]
        case str():
            return _storable(value)
        case float() if not math.isfinite(value):
            return str(value)  # JSON has no word for it
        case _:
            return value


def _text(text: str) -> str:
    return _storable(text[:TEXT_CHARACTERS])


def _storable(text: str) -> str:
    """Postgres refuses NUL, and octets that were not UTF-8."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()
