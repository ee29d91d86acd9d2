"""Which of two sights of an object is the later one, and which objects are gone for good."""

from collections import OrderedDict

_KEPT = 10_000


def newer(version: str, than: str) -> bool:
    """Of two resourceVersions. They are numbers in every API server; where not, take what comes."""
    if version.isdecimal() and than.isdecimal():
        return int(version) > int(than)
    return version != than


class Graves:
    """The uids of the last objects that went: a list that was asked for before must not bring them back."""

    def __init__(self) -> None:
        self._uids: OrderedDict[str, None] = OrderedDict()

    def add(self, uid: str) -> None:
        """Gone for good: no object gets this uid again."""
        if not uid:
            return
        self._uids[uid] = None
        while len(self._uids) > _KEPT:
            self._uids.popitem(last=False)

    def __contains__(self, uid: str) -> bool:
        return uid in self._uids
