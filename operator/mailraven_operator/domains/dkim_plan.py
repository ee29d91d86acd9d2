"""What to do about a domain's DKIM keys. Pure: the server's keys, the wishes and what the DNS shows in, actions out.

A key is pending (waits for its record), active (signs) or retired (its record stays a week). The rules:

- Where nothing signs, a key signs at once. Otherwise a new key waits until the DNS shows its record: who signs with a
  key that nobody can look up has his mail refused. It waits however long that takes.
- A new key is made where one of the wished kind is missing, and when the one that signs is `rotation_days` old.
- A key that starts to sign retires the one before (the server does that); it is deleted when its record may go.
- Pending keys that are no longer wished for, and those that a later key has overtaken, are deleted.
"""

import itertools
import string
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from mailraven_api.dkim import Algorithm, DkimKey

_ED25519_BITS = 256


@dataclass(frozen=True)
class DkimWish:
    """What the resource and the domain's template ask for."""

    signing: bool = True
    key_size: int = 2048
    ed25519: bool = False
    selector_prefix: str | None = None
    rotation_days: int | None = None

    @property
    def kinds(self) -> tuple[tuple[Algorithm, int], ...]:
        """Algorithms and sizes."""
        rsa: tuple[Algorithm, int] = ("rsa", self.key_size)
        return (rsa, ("ed25519", _ED25519_BITS)) if self.ed25519 else (rsa,)


@dataclass(frozen=True)
class Make:
    """A pending key. `selector` None: the server finds one."""

    algorithm: Algorithm
    key_size: int
    selector: str | None


@dataclass(frozen=True)
class Activate:
    """It signs from now on. `force`: whatever the DNS says."""

    selector: str
    force: bool


@dataclass(frozen=True)
class Retire:
    """It signs no more."""

    selector: str


@dataclass(frozen=True)
class Delete:
    """For ever."""

    selector: str


Action = Make | Activate | Retire | Delete


def plan_keys(keys: Sequence[DkimKey], wish: DkimWish, published: Collection[str], now: datetime) -> tuple[Action, ...]:
    """`published` are the selectors whose records the DNS shows as they should be. Keys may be in any order."""
    if not wish.signing:
        return ()
    by_age = sorted(keys, key=lambda key: (key.created_at, key.selector))
    signs = any(key.state == "active" for key in by_age)
    taken = {key.selector for key in by_age}
    actions: list[Action] = []
    for algorithm, size in wish.kinds:
        active = _active(by_age, algorithm)
        waiting = [key for key in _waiting(by_age, algorithm, active) if key.key_size == size]
        ready = [key for key in waiting if key.selector in published]
        if not signs and waiting:
            actions.append(Activate(waiting[-1].selector, force=True))
        elif ready:
            actions.append(Activate(ready[-1].selector, force=False))
        elif not waiting and _lacks(active, size, wish.rotation_days, now):
            selector = _selector(wish.selector_prefix, taken, now)
            taken |= {selector} if selector else set()
            actions.append(Make(algorithm, size, selector))
    return (*actions, *_superfluous(by_age, wish, now))


def waiting_keys(keys: Sequence[DkimKey], wish: DkimWish) -> tuple[DkimKey, ...]:
    """The keys whose records have to be published before they may sign."""
    found: list[DkimKey] = []
    for algorithm, size in wish.kinds:
        active = _active(keys, algorithm)
        found += [key for key in _waiting(keys, algorithm, active) if key.key_size == size]
    return tuple(found)


def _active(keys: Sequence[DkimKey], algorithm: Algorithm) -> DkimKey | None:
    return next((key for key in keys if key.state == "active" and key.algorithm == algorithm), None)


def _waiting(keys: Sequence[DkimKey], algorithm: Algorithm, active: DkimKey | None) -> list[DkimKey]:
    """Pending keys that no later one has overtaken."""
    pending = [key for key in keys if key.state == "pending" and key.algorithm == algorithm]
    return [key for key in pending if active is None or key.created_at >= active.created_at]


def _lacks(active: DkimKey | None, size: int, rotation_days: int | None, now: datetime) -> bool:
    if active is None or active.key_size != size:
        return True
    since = active.activated_at or active.created_at
    return rotation_days is not None and rotation_days > 0 and since + timedelta(days=rotation_days) <= now


def _superfluous(keys: Sequence[DkimKey], wish: DkimWish, now: datetime) -> Iterator[Action]:
    wanted = {algorithm for algorithm, _ in wish.kinds}
    signs = {key.algorithm for key in keys if key.state == "active"}
    for key in keys:
        match key.state:
            case "active" if key.algorithm not in wanted and signs & wanted:
                yield Retire(key.selector)
            case "pending" if (key.algorithm, key.key_size) not in wish.kinds or key not in _waiting(
                keys, key.algorithm, _active(keys, key.algorithm)
            ):
                yield Delete(key.selector)
            case "retired" if key.published_until is not None and key.published_until <= now:
                yield Delete(key.selector)


def _selector(prefix: str | None, taken: Collection[str], now: datetime) -> str | None:
    """Dated, as the server's own: PREFIX202611a, PREFIX202611b, ..."""
    if not prefix:
        return None
    letters = ("".join(some) for length in itertools.count(1) for some in itertools.product(_LETTERS, repeat=length))
    return next(name for suffix in letters if (name := f"{prefix}{now:%Y%m}{suffix}") not in taken)


_LETTERS = string.ascii_lowercase
