"""Objects of others, as far as we look at them: their versions and, of Namespaces, their labels. No contents."""

from typing import Any

from mailraven_operator.claims import Key
from mailraven_operator.resource_store import Change
from mailraven_operator.versions import Graves, newer


class SeenObjects:
    """Of one kind, by namespace and name."""

    def __init__(self) -> None:
        self.labels: dict[Key, dict[str, str]] = {}
        """Only of Namespaces."""
        self._known: dict[Key, tuple[str, str]] = {}
        self._graves = Graves()

    def version(self, key: Key) -> str | None:
        """ "uid/resourceVersion"."""
        seen = self._known.get(key)
        return None if seen is None else f"{seen[0]}/{seen[1]}"

    def known(self) -> dict[Key, tuple[str, str]]:
        """uid and resourceVersion of each."""
        return dict(self._known)

    def news(self, document: dict[str, Any]) -> Change | None:
        """What `take` would say; None: it is known, or older than what is."""
        metadata = document["metadata"]
        key = (metadata.get("namespace", ""), metadata["name"])
        uid, version = metadata.get("uid", ""), metadata.get("resourceVersion", "")
        before = self._known.get(key)
        if uid in self._graves or (before is not None and before[0] == uid and not newer(version, before[1])):
            return None
        if document.get("kind") == "Namespace":
            return Change(key, matters=self.labels.get(key) != _labels(metadata))
        return Change(key)

    def take(self, document: dict[str, Any]) -> Change | None:
        """An object as it was seen; None when that is no news."""
        change = self.news(document)
        if change is not None:
            metadata = document["metadata"]
            self._known[change.key] = (metadata.get("uid", ""), metadata.get("resourceVersion", ""))
            if document.get("kind") == "Namespace":
                self.labels[change.key] = _labels(metadata)
        return change

    def drop(self, key: Key, uid: str) -> bool:
        """It is gone; False when it was not there, or another one is."""
        self._graves.add(uid)
        before = self._known.get(key)
        if before is None or (uid and before[0] != uid):
            return False
        del self._known[key]
        self.labels.pop(key, None)
        return True


def _labels(metadata: dict[str, Any]) -> dict[str, str]:
    return dict(metadata.get("labels") or {})
