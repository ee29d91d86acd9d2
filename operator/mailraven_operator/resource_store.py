"""Resources of one of our kinds as they were seen last."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from mailraven_api.kubernetes import GROUP, Resource, explain
from mailraven_operator.claims import Age, Key
from mailraven_operator.versions import Graves, newer

ModelT = TypeVar("ModelT", bound=Resource)


@dataclass(frozen=True)
class Invalid:
    """A resource that does not fit its model: made when the CRD was another one."""

    raw: dict[str, Any]
    """apiVersion, kind, metadata, spec and status as they are stored."""
    error: str
    """What does not fit, field by field, without values."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """As it is stored."""
        found: Mapping[str, Any] = self.raw["metadata"]
        return found


@dataclass(frozen=True)
class Change:
    """What is new about an object."""

    key: Key
    gone: bool = False
    matters: bool = True
    """Something that its own reconcile looks at: all but the status and foreign annotations."""
    ready: bool = False
    """Ready has another status than before: others may wait for it."""


class ResourceStore(Generic[ModelT]):
    """By namespace and name."""

    def __init__(self, model: type[ModelT]) -> None:
        self.kind = model.KIND
        self._model = model
        self.parsed: dict[Key, ModelT] = {}
        self.invalid: dict[Key, Invalid] = {}
        self.status: dict[Key, dict[str, Any]] = {}
        self._known: dict[Key, tuple[str, str]] = {}
        self._essence: dict[Key, Any] = {}
        self._graves = Graves()

    def keys(self) -> Collection[Key]:
        """All there are."""
        return tuple(self._known)

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
        return Change(
            key,
            matters=_essence(document) != self._essence.get(key) or (before is not None and before[0] != uid),
            ready=_ready(_status(document)) != _ready(self.status.get(key, {})),
        )

    def take(self, document: dict[str, Any]) -> Change | None:
        """The object as it was seen; None when that is no news."""
        change = self.news(document)
        if change is None:
            return None
        metadata = document["metadata"]
        self._known[change.key] = (metadata.get("uid", ""), metadata.get("resourceVersion", ""))
        self._essence[change.key] = _essence(document)
        self.status[change.key] = _status(document)
        self._parse(change.key, document)
        return change

    def drop(self, key: Key, uid: str) -> bool:
        """It is gone; False when it was not there, or another one is."""
        self._graves.add(uid)
        known = self._known.get(key)
        if known is None or (uid and known[0] != uid):
            return False
        for store in (self.parsed, self.invalid, self.status, self._known, self._essence):
            store.pop(key, None)
        return True

    def _parse(self, key: Key, document: dict[str, Any]) -> None:
        metadata = {name: value for name, value in document["metadata"].items() if name != "managedFields"}
        kept = {**document, "metadata": metadata}
        try:
            self.parsed[key] = self._model.parse(kept)
            self.invalid.pop(key, None)
        except ValidationError as error:
            self.parsed.pop(key, None)
            self.invalid[key] = Invalid(kept, explain(error))


def age_of(document: dict[str, Any]) -> Age:
    """By which the older one of two claimants is found. An object that has no time yet is the youngest."""
    metadata = document["metadata"]
    return metadata.get("creationTimestamp") or "9999", metadata.get("uid", "")


def _essence(document: dict[str, Any]) -> Any:
    """Small: the generation stands for the spec, which the API server counts. A change of anything here is a change of
    what is wanted."""
    metadata = document["metadata"]
    annotations = metadata.get("annotations") or {}
    return (
        metadata.get("generation"),
        metadata.get("deletionTimestamp"),
        tuple(sorted((metadata.get("labels") or {}).items())),
        tuple(sorted((name, text) for name, text in annotations.items() if name.startswith(f"{GROUP}/"))),
    )


def _status(document: dict[str, Any]) -> dict[str, Any]:
    status = document.get("status")
    return status if isinstance(status, dict) else {}


def _ready(status: dict[str, Any]) -> str | None:
    conditions = status.get("conditions")
    for condition in conditions if isinstance(conditions, list) else ():
        if isinstance(condition, dict) and condition.get("type") == "Ready":
            return condition.get("status")
    return None
