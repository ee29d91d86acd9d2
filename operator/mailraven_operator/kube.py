"""The API of Kubernetes, as far as the operator needs it: on aiohttp, with documents as dicts.

Why not the package `kubernetes`: docs/operator.md, "Memory".
"""

import asyncio
import hashlib
import json
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp

from mailraven_operator.cluster import Cluster

FIELD_MANAGER = "mailraven-operator"
_PAGE = 500
_TIMEOUT = 30.0  # seconds for one request
_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"


@dataclass(frozen=True)
class Resource:
    """A kind of object, as the API's paths name it."""

    group: str
    """Empty: the core group."""
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """As documents have it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str = "") -> str:
        """Of a list or an object; every segment is quoted."""
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if namespace is not None and self.namespaced:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        parts += [part for part in (name, subresource) if part]
        return "/" + "/".join(quote(_segment(part), safe="") for part in parts)


def _segment(name: str) -> str:
    if name in ("", ".", "..") or "/" in name:
        raise ValueError(f"{name!r} is no name of an object")
    return name


SECRETS = Resource("", "v1", "secrets", "Secret")
EVENTS = Resource("", "v1", "events", "Event")
PODS = Resource("", "v1", "pods", "Pod")
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
JOBS = Resource("batch", "v1", "jobs", "Job")
CRONJOBS = Resource("batch", "v1", "cronjobs", "CronJob")
CERTIFICATES = Resource("cert-manager.io", "v1", "certificates", "Certificate")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
# What `apply` is given says only apiVersion and kind.
_KNOWN = {(known.api_version, known.kind): known for known in (SECRETS, JOBS, CRONJOBS, CERTIFICATES)}


class KubeError(Exception):
    """The API server refused: its status, its reason (NotFound, Conflict, Forbidden, Invalid…) and its words."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message


class KubeUnavailable(Exception):
    """The API server does not answer, or not now. To be tried again."""


@dataclass(frozen=True)
class Listing:
    """The objects of a kind at one moment."""

    items: list[dict[str, Any]]
    resource_version: str


class Kube:
    """A client. One session for all requests; every request has a time limit.

    `live_version` tells the "uid/resourceVersion" of an object that is watched (`World.version`): `apply` then sends
    nothing for what is as it left it.
    """

    def __init__(
        self, cluster: Cluster, live_version: Callable[[str, tuple[str, str]], str | None] | None = None
    ) -> None:
        self._cluster = cluster
        self._live_version = live_version
        self._session: aiohttp.ClientSession | None = None
        self._opening = asyncio.Lock()
        self._applied: dict[tuple[str, str, str], tuple[str, str]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, resource: Resource, namespace: str | None, name: str) -> dict[str, Any] | None:
        """The object; None: there is none."""
        try:
            return await self.request("GET", resource.path(namespace, name))
        except KubeError as error:
            if error.status == 404:
                return None
            raise

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        labels: str = "",
        *,
        fields: str = "",
        metadata_only: bool = False,
    ) -> list[dict[str, Any]]:
        """All objects of a namespace (None: of all), page by page. `metadata_only`: without spec and data. Unlike
        the API's own, each has its apiVersion and kind."""
        return (await self.listing(resource, namespace, labels, fields=fields, metadata_only=metadata_only)).items

    async def listing(
        self,
        resource: Resource,
        namespace: str | None = None,
        labels: str = "",
        *,
        fields: str = "",
        metadata_only: bool = False,
    ) -> Listing:
        """The same, with the resourceVersion of the list."""
        query = {"limit": str(_PAGE)}
        if labels:
            query["labelSelector"] = labels
        if fields:
            query["fieldSelector"] = fields
        found: list[dict[str, Any]] = []
        version = ""
        while True:
            page = await self.request(
                "GET", resource.path(namespace), query=query, accept=_METADATA_ONLY if metadata_only else ""
            )
            metadata = page.get("metadata") or {}
            version = version or str(metadata.get("resourceVersion", ""))
            for item in page.get("items") or ():
                item["apiVersion"], item["kind"] = resource.api_version, resource.kind
                found.append(item)
            if not metadata.get("continue"):
                return Listing(found, version)
            query["continue"] = metadata["continue"]

    async def apply(self, document: dict[str, Any], *, force: bool = True) -> dict[str, Any] | None:
        """Server-side apply with our field manager. None: it was the same when we applied it last and nobody has
        touched it since, so nothing was sent. Without `force` a field of somebody else is KubeError 409."""
        resource = _resource_of(document)
        metadata = document["metadata"]
        key = (resource.kind, metadata["namespace"], metadata["name"])
        digest = _digest(document)
        seen = None if self._live_version is None else self._live_version(key[0], (key[1], key[2]))
        if seen is not None and self._applied.get(key) == (digest, seen):
            return None
        applied = await self.request(
            "PATCH",
            resource.path(metadata["namespace"], metadata["name"]),
            body=document,
            content_type=_APPLY,
            query={"fieldManager": FIELD_MANAGER, "force": "true" if force else "false"},
        )
        self._applied[key] = (digest, version_of(applied))
        return applied

    async def create(self, document: dict[str, Any], resource: Resource | None = None) -> dict[str, Any]:
        """KubeError 409 AlreadyExists when there is one of that name."""
        resource = resource or _resource_of(document)
        return await self.request(
            "POST",
            resource.path(document["metadata"]["namespace"]),
            body=document,
            query={"fieldManager": FIELD_MANAGER},
        )

    async def replace(self, document: dict[str, Any], resource: Resource) -> dict[str, Any]:
        """PUT; KubeError 409 when somebody changed it after the resourceVersion in it."""
        metadata = document["metadata"]
        return await self.request(
            "PUT",
            resource.path(metadata["namespace"], metadata["name"]),
            body=document,
            query={"fieldManager": FIELD_MANAGER},
        )

    async def merge(
        self, resource: Resource, namespace: str, name: str, patch: dict[str, Any], *, subresource: str = ""
    ) -> dict[str, Any]:
        """A JSON merge patch (RFC 7396): null removes."""
        return await self.request(
            "PATCH",
            resource.path(namespace, name, subresource),
            body=patch,
            content_type=_MERGE,
            query={"fieldManager": FIELD_MANAGER},
        )

    async def delete(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        *,
        propagation: str = "Background",
        uid: str | None = None,
    ) -> bool:
        """False: there was none. `uid`: only that one, KubeError 409 when another has the name by now."""
        body: dict[str, Any] = {"propagationPolicy": propagation}
        if uid is not None:
            body["preconditions"] = {"uid": uid}
        self._applied.pop((resource.kind, namespace, name), None)
        try:
            await self.request("DELETE", resource.path(namespace, name), body=body)
        except KubeError as error:
            if error.status == 404:
                return False
            raise
        return True

    async def serves(self, resource: Resource) -> bool:
        """Whether the cluster has this kind (its CRD may be absent)."""
        group = f"/apis/{resource.group}" if resource.group else "/api"
        try:
            found = await self.request("GET", f"{group}/{resource.version}")
        except KubeError as error:
            if error.status == 404:
                return False
            raise
        return any(item.get("name") == resource.plural for item in found.get("resources") or ())

    async def serves_all(self, resources: Iterable[Resource]) -> bool:
        """The same of several."""
        for resource in resources:
            if not await self.serves(resource):
                return False
        return True

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: dict[str, str] | None = None,
        content_type: str = "application/json",
        accept: str = "",
    ) -> dict[str, Any]:
        """The answer's document. KubeError, KubeUnavailable."""
        headers = {"Accept": accept or "application/json"}
        data = None
        if body is not None:
            data = json.dumps(body, separators=(",", ":")).encode()
            headers["Content-Type"] = content_type
        status, content = await self._send(method, path, data, query or {}, headers)
        document = _document(content)
        if document is None:
            raise KubeUnavailable(f"the API server answered {status} with something that is no JSON object")
        return document

    async def _send(
        self, method: str, path: str, data: bytes | None, query: dict[str, str], headers: dict[str, str]
    ) -> tuple[int, bytes]:
        """Once more with the token read anew when the API server does not take it: it is renewed in its file."""
        for attempt in (1, 2):
            credentials = await self._cluster.authorization(refresh=attempt == 2)
            status, content = await self._exchange(method, path, data, query, headers | credentials)
            if status != 401:
                break
        if 200 <= status < 300:
            return status, content
        raise _problem(status, _document(content))

    async def _exchange(
        self, method: str, path: str, data: bytes | None, query: dict[str, str], headers: dict[str, str]
    ) -> tuple[int, bytes]:
        try:
            async with asyncio.timeout(_TIMEOUT):
                session = await self._opened()
                async with session.request(
                    method, self._cluster.url + path, data=data, params=query, headers=headers, allow_redirects=False
                ) as response:
                    return response.status, await response.read()
        except TimeoutError:
            raise KubeUnavailable("the API server does not answer in time") from None
        except (aiohttp.ClientError, OSError, ssl.SSLError) as error:
            raise KubeUnavailable(f"the API server cannot be reached ({type(error).__name__})") from None

    async def _opened(self) -> aiohttp.ClientSession:
        async with self._opening:
            if self._session is None:
                context = await self._cluster.ssl_context()
                connector = aiohttp.TCPConnector(limit=32, ssl=context if context is not None else True)
                headers = {"User-Agent": FIELD_MANAGER}
                unlimited = aiohttp.ClientTimeout(total=None)  # `_exchange` has a limit of its own
                self._session = aiohttp.ClientSession(connector=connector, headers=headers, timeout=unlimited)
            return self._session


def version_of(document: dict[str, Any]) -> str:
    """Which object in which version: "uid/resourceVersion"."""
    metadata = document.get("metadata") or {}
    return f"{metadata.get('uid', '')}/{metadata.get('resourceVersion', '')}"


def _resource_of(document: dict[str, Any]) -> Resource:
    found = _KNOWN.get((document["apiVersion"], document["kind"]))
    if found is None:
        raise ValueError(f"the operator makes no {document['kind']} of {document['apiVersion']}")
    return found


def _digest(document: dict[str, Any]) -> str:
    """Of a child's document, which may have a password in it: nothing else of it is kept."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _document(content: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(content)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _problem(status: int, document: dict[str, Any] | None) -> KubeError | KubeUnavailable:
    document = document or {}
    reason = str(document.get("reason") or "")
    message = str(document.get("message") or f"status {status}")
    if status in (408, 429) or status >= 500:
        return KubeUnavailable(f"the API server answers {status}: {message}")
    return KubeError(status, reason, message)
