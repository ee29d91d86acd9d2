"""The octets that the status shows. Pure: a figure that changes with every message would be written all the time."""

_STEP = 1024 * 1024
_SHARE = 0.01


def settled_octets(shown: int | None, now: int) -> int:
    """What to show when `shown` stands there: the new figure when it differs by 1 MiB and by one in a hundred, and
    always when mail comes or goes altogether."""
    if shown is None or (shown == 0) != (now == 0):
        return now
    return now if abs(now - shown) >= max(_STEP, _SHARE * shown) else shown
