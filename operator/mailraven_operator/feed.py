"""What is seen goes into the world, and what it concerns into the queue."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import structlog

from mailraven_operator.kind import Kind
from mailraven_operator.versions import newer
from mailraven_operator.work_queue import WorkQueue
from mailraven_operator.world import Key, World

_log = structlog.get_logger(component="feed")


class Feed:
    """From watches one by one, from listings all at once."""

    def __init__(self, world: World, kinds: Sequence[Kind], queue: WorkQueue) -> None:
        self._world = world
        self._kinds = {kind.model.KIND: kind for kind in kinds}
        self._queue = queue

    def event(self, kind: str, event: str | None, document: dict[str, Any]) -> None:
        """Of a watch: None or ADDED, MODIFIED, DELETED."""
        if event == "DELETED":
            metadata = document["metadata"]
            self.gone(kind, (metadata.get("namespace", ""), metadata["name"]), metadata.get("uid", ""))
        else:
            self.seen(kind, document)

    def seen(self, kind: str, document: dict[str, Any]) -> bool:
        """An object as it is now; False: that was known."""
        change = self._world.news(kind, document)
        if change is None:
            return False
        # Before and after: what a domain was called concerns users, too.
        concerned = self._concerned(kind, change.key) if change.matters else set()
        self._world.take(kind, document)
        if change.matters or change.ready:
            concerned |= self._concerned(kind, change.key)
        own = (kind, *change.key)
        concerned.discard(own)
        if kind in self._kinds and change.matters:
            concerned.add(own)
        for item in concerned:
            self._queue.add(item)
        return True

    def gone(self, kind: str, key: Key, uid: str) -> None:
        """An object that is no more."""
        concerned = self._concerned(kind, key)
        if not self._world.drop(kind, key, uid):
            return
        for item in concerned | self._concerned(kind, key):
            self._queue.add(item)
        if kind in self._kinds:
            self._queue.forget((kind, *key))
            self._queue.add((kind, *key))

    def listed(
        self, kind: str, documents: Iterable[dict[str, Any]], version: str, namespaces: Collection[str] = ()
    ) -> int:
        """All objects of a kind (of some namespaces; none given: of all) as a list at `version` had them. What is
        known beyond them and is not newer than the list is gone: watches do not tell that after a break. How many
        were news."""
        listed, news = set(), 0
        for document in documents:
            metadata = document["metadata"]
            listed.add((metadata.get("namespace", ""), metadata["name"]))
            news += self.seen(kind, document)
        for key, (uid, seen) in self._world.known(kind).items():
            if key not in listed and (not namespaces or key[0] in namespaces) and not newer(seen, version):
                self.gone(kind, key, uid)
                news += 1
        return news

    def everything(self) -> list[tuple[str, str, str]]:
        """All resources of our kinds."""
        return [(kind, *key) for kind in self._kinds for key in self._world.keys(kind)]

    def _concerned(self, kind: str, key: Key) -> set[tuple[str, str, str]]:
        found: set[tuple[str, str, str]] = set()
        for name, mine in self._kinds.items():
            try:
                found.update((name, *touched) for touched in mine.touched_by(self._world, kind, key))
            except Exception:  # noqa: BLE001 - a defect of one kind must not stop the others; the resync makes up for it
                _log.exception("touched_by_failed", kind=name, of=kind)
        return found
