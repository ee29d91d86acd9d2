"""How long a credential lives."""

import datetime as dt


def expiry(days: int | None) -> dict[str, str]:
    """The field of a request; nothing when it does not end."""
    if days is None:
        return {}
    return {"expires_at": (dt.datetime.now(dt.UTC) + dt.timedelta(days=days)).isoformat(timespec="seconds")}
