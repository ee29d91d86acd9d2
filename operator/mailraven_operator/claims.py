"""Who was first: names that several resources may claim (a domain, an address), each owned by the oldest claimant.

A name that a resource has from its creation counts from then. An alias comes later, and nobody notes when: until it is
known to have been granted it counts as the latest claim of all. Else whoever has an old resource could add the name of
any younger one as an alias and take it away.
"""

from collections.abc import Collection, Iterable

Key = tuple[str, str]
Age = tuple[str, str]
"""creationTimestamp as the API writes it (RFC 3339, UTC, seconds), then the uid: sorts by age."""


class Claims:
    """Of one kind of name. Asking for an owner costs as much as it has claimants: mostly one."""

    def __init__(self) -> None:
        self._claimants: dict[str, dict[Key, tuple[bool, Age]]] = {}
        self._names: dict[Key, frozenset[str]] = {}

    def set(self, key: Key, age: Age, names: Iterable[str], wishes: Iterable[str] = ()) -> None:
        """What a resource claims now: `names` since it is there, `wishes` since just now."""
        self.drop(key)
        granted = frozenset(names)
        claimed = granted | frozenset(wishes)
        if claimed:
            self._names[key] = claimed
        for name in claimed:
            self._claimants.setdefault(name, {})[key] = (name not in granted, age)

    def drop(self, key: Key) -> None:
        """The resource is gone."""
        for name in self._names.pop(key, frozenset()):
            claimants = self._claimants[name]
            del claimants[key]
            if not claimants:
                del self._claimants[name]

    def owner(self, name: str) -> Key | None:
        """The oldest claimant."""
        found = self._claimants.get(name)
        return min(found, key=lambda key: (found[key], key)) if found else None

    def claimants(self, name: str) -> Collection[Key]:
        """All that claim it, the oldest first."""
        found = self._claimants.get(name, {})
        return tuple(sorted(found, key=lambda key: (found[key], key)))

    def names(self, key: Key) -> Collection[str]:
        """All that a resource claims."""
        return self._names.get(key, frozenset())


class References:
    """Which resources name an object, such as a Secret."""

    def __init__(self) -> None:
        self._referring: dict[Key, set[Key]] = {}
        self._referred: dict[Key, frozenset[Key]] = {}

    def set(self, key: Key, targets: Iterable[Key]) -> None:
        """What a resource names now."""
        self.drop(key)
        named = frozenset(targets)
        if named:
            self._referred[key] = named
        for target in named:
            self._referring.setdefault(target, set()).add(key)

    def drop(self, key: Key) -> None:
        """The resource is gone."""
        for target in self._referred.pop(key, frozenset()):
            referring = self._referring[target]
            referring.discard(key)
            if not referring:
                del self._referring[target]

    def to(self, target: Key) -> Collection[Key]:
        """Who names it."""
        return tuple(self._referring.get(target, ()))
