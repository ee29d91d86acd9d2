"""Which app passwords have to be made, made again or deleted. Pure.

Those of a MailUser are told from people's own by their name on the server, and belong to their Secret by its
annotation: the password in a Secret is that of the app password with this number, or it is worth nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailraven_api.kubernetes.mail_user import AppPassword
from mailraven_operator.outcome import Problem

PREFIX = "mailuser:"
_NAME_MAX = 100  # of the server


@dataclass(frozen=True)
class Existing:
    """An app password of the account on the server."""

    id: int
    name: str
    protocols: frozenset[str]


@dataclass(frozen=True)
class Make:
    """One to be made. `instead_of`: what has its name now, to be deleted before."""

    wanted: AppPassword
    instead_of: int | None = None


@dataclass(frozen=True)
class AppPasswordPlan:
    """`delete` are the numbers of those that spec does not have any more."""

    make: tuple[Make, ...] = ()
    delete: tuple[int, ...] = ()
    keep: tuple[AppPassword, ...] = ()


def name_on_server(name: str) -> str:
    """`phone` -> `mailuser:phone`."""
    return PREFIX + name


def check_name(name: str) -> None:
    """Raises Problem when it is too long for the server."""
    if len(name_on_server(name)) > _NAME_MAX:
        raise Problem("InvalidSpec", f"the name has more than {_NAME_MAX - len(PREFIX)} characters", retry=False)


def plan_app_passwords(
    wanted: Sequence[AppPassword], existing: Sequence[Existing], secrets: Mapping[str, int | None]
) -> AppPasswordPlan:
    """`secrets`: which number each Secret is for, by its name; None: there is none, or it has no password."""
    by_name = {one.name: one for one in existing if one.name.startswith(PREFIX)}
    make, keep = [], []
    for one in wanted:
        found = by_name.pop(name_on_server(one.name), None)
        if (
            found is not None
            and secrets.get(one.secret_name) == found.id
            and found.protocols == frozenset(one.protocols)
        ):
            keep.append(one)
        else:
            make.append(Make(one, None if found is None else found.id))
    return AppPasswordPlan(tuple(make), tuple(sorted(one.id for one in by_name.values())), tuple(keep))
