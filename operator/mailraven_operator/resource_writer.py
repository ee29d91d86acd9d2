"""What the frame writes to a resource itself: its status, its finalizer, and Events about it."""

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from mailraven_api.kubernetes import API_VERSION, FINALIZER
from mailraven_operator.kube import EVENTS, Kube, KubeError, Resource
from mailraven_operator.outcome import Event
from mailraven_operator.status import merge_patch, one_line
from mailraven_operator.world import Key, World

_LONGEST_NOTE = 1024  # of an Event, by the API
_COMPONENT = "mailraven-operator"


class ResourceWriter:
    """For one kind. What comes back is taken into the world at once: the next look sees what this one wrote."""

    def __init__(self, kube: Kube, world: World, resource: Resource) -> None:
        self._kube = kube
        self._world = world
        self._resource = resource

    async def status(self, key: Key, uid: str, status: Mapping[str, Any]) -> bool:
        """Writes what differs; False: nothing did, or the resource is gone."""
        patch = merge_patch(self._world.raw_status(self._resource.kind, key), status)
        if not patch:
            return False
        # The uid makes it a conflict when another resource has the name by now.
        return await self._merged(key, {"metadata": {"uid": uid}, "status": patch}, subresource="status")

    async def add_finalizer(self, key: Key, metadata: Mapping[str, Any]) -> bool:
        """False: the resource is gone."""
        return await self._set_finalizers(key, metadata, [*(metadata.get("finalizers") or ()), FINALIZER])

    async def remove_finalizer(self, key: Key, metadata: Mapping[str, Any]) -> bool:
        """False: the resource is gone."""
        left = [name for name in metadata.get("finalizers") or () if name != FINALIZER]
        return await self._set_finalizers(key, metadata, left)

    async def event(self, key: Key, uid: str, event: Event, now: datetime) -> None:
        """An Event in the resource's namespace. That it cannot be written is no reason to stop."""
        namespace, name = key
        moment = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        document = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{name[:230]}.{secrets.token_hex(8)}", "namespace": namespace},
            "involvedObject": {
                "apiVersion": API_VERSION,
                "kind": self._resource.kind,
                "namespace": namespace,
                "name": name,
                "uid": uid,
            },
            "type": "Warning" if event.warning else "Normal",
            "reason": event.reason,
            "message": one_line(event.message)[:_LONGEST_NOTE],
            "source": {"component": _COMPONENT},
            "firstTimestamp": moment,
            "lastTimestamp": moment,
            "count": 1,
        }
        try:
            await self._kube.create(document, EVENTS)
        except KubeError as error:
            if error.status not in (403, 404, 409, 422):  # not allowed, or the namespace is going
                raise

    async def refresh(self, key: Key) -> bool:
        """Asks for the resource as it is now; False: it is gone."""
        document = await self._kube.get(self._resource, *key)
        if document is None:
            self._gone(key)
            return False
        self._world.take(self._resource.kind, document)
        return True

    async def _set_finalizers(self, key: Key, metadata: Mapping[str, Any], names: list[str]) -> bool:
        """The resourceVersion makes it a conflict when somebody else changed the list meanwhile."""
        patch = {"metadata": {"resourceVersion": metadata["resourceVersion"], "finalizers": names}}
        try:
            return await self._merged(key, patch)
        except KubeError as error:
            if error.status == 409:
                await self.refresh(key)
            raise

    async def _merged(self, key: Key, patch: dict[str, Any], *, subresource: str = "") -> bool:
        try:
            document = await self._kube.merge(self._resource, *key, patch, subresource=subresource)
        except KubeError as error:
            if error.status != 404:
                raise
            self._gone(key)
            return False
        self._world.take(self._resource.kind, document)
        return True

    def _gone(self, key: Key) -> None:
        self._world.drop(self._resource.kind, key, "")
