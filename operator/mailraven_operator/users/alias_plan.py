"""Which aliases have to be made and which deleted. Pure.

An alias is ours when its only target is the user's address and status.aliases names it: it was made for this
resource. What others made stays, whatever it points at.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mailraven_api.kubernetes import address_key
from mailraven_operator.outcome import Problem
from mailraven_operator.users.issue import Issue

Check = Callable[[str], None]
"""Raises Problem when the user may not have the alias: its domain does not let him in, or it is another user's."""


@dataclass(frozen=True)
class AliasPlan:
    """What to send, and what is then the user's."""

    put: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()
    ours: tuple[str, ...] = ()
    """For status.aliases, when all of it works."""
    issues: tuple[Issue, ...] = ()


def plan_aliases(
    address: str,
    wanted: Sequence[str],
    made: Sequence[str],
    targets: Mapping[str, Sequence[str]],
    check: Check,
) -> AliasPlan:
    """`wanted`: of spec. `made`: of status. `targets`: of every alias of either that the server has."""
    put, ours, issues = [], [], []
    aliases = list(dict.fromkeys(address_key(alias) for alias in wanted))
    for place, alias in enumerate(aliases):
        points_here = points_at(targets.get(alias), address)
        try:
            _check_name(alias, address)
            check(alias)
            _check_free(alias, alias in targets and not points_here and alias not in made)
        except Problem as problem:
            issues.append(Issue(problem.reason, f"spec.aliases[{place}]: {problem.message}", problem.retry))
            if points_here and alias in made:
                ours.append(alias)
            continue
        ours.append(alias)
        if not points_here:
            put.append(alias)
    dropped = [alias for alias in made if alias not in aliases and points_at(targets.get(alias), address)]
    return AliasPlan(tuple(put), tuple(dropped), tuple(ours), tuple(issues))


def points_at(targets: Sequence[str] | None, address: str) -> bool:
    """Whether the address is the only target."""
    return targets is not None and [address_key(target) for target in targets] == [address_key(address)]


def _check_name(alias: str, address: str) -> None:
    if alias == address_key(address):
        raise Problem("InvalidSpec", f"{alias} is the address itself", retry=False)
    if alias.startswith("*@"):
        raise Problem("InvalidSpec", "the catch-all belongs to the MailDomain: spec.catchAll", retry=False)


def _check_free(alias: str, taken: bool) -> None:
    if taken:
        raise Problem("Conflict", f"the server has the alias {alias} already, with other targets")
