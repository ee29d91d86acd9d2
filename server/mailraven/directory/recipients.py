"""What a resolution means for a message to it, whichever daemon takes the message: SMTP sessions and the mail API."""

from __future__ import annotations

from collections.abc import Iterator

from mailraven.directory.model import Blocked, NotLocalDomain, Resolution, Route, Suspended, Targets
from mailraven.policy.facts import Destination


def destination_of(found: Resolution) -> Destination:
    """As policy sees it."""
    match found:
        case Targets():
            return Destination.LOCAL
        case NotLocalDomain():
            return Destination.FOREIGN
        case Suspended():
            return Destination.DISABLED
        case Blocked():
            return Destination.BLOCKED
        case _:
            return Destination.UNKNOWN


def room_of(found: Resolution) -> int | None:
    """Octets left in the fullest mailbox behind the address; None: no quota."""
    if not isinstance(found, Targets):
        return None
    return min((one.quota_left for one in found.accounts if one.quota_left is not None), default=None)


def delivered_names(found: Targets, given: str) -> Iterator[tuple[int, str]]:
    """Each account with the address that its Delivered-To shows: `given` where the account is called so or catches all,
    else (an alias, a forward, nothing given) its own.
    """
    keeps_name = found.route in (Route.ACCOUNT, Route.CATCH_ALL) and given
    for account in found.accounts:
        shown = given if keeps_name and account.account_id in found.owners else account.address
        yield account.account_id, shown
