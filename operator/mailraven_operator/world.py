"""What is in the cluster, without asking: fed by watches and by the listing of each resync. Only the event loop of the
reconciles touches it. Kinds only read it; `take` and `drop` are the frame's.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from mailraven_api.kubernetes import (
    Backup,
    BackupSchedule,
    MailDomain,
    MailUser,
    RateLimitPolicy,
    Restore,
    address_key,
    domain_of,
)
from mailraven_operator.claims import Claims, References
from mailraven_operator.resource_store import Change, Invalid, ResourceStore, age_of
from mailraven_operator.seen_objects import SeenObjects

Key = tuple[str, str]
"""Namespace and name."""
SEEN = ("Namespace", "Secret", "Job", "CronJob", "Certificate")
_NAME_LABEL = "kubernetes.io/metadata.name"  # the API server puts it on every Namespace


class World:
    """Mappings by (namespace, name) hold what fits its model; the rest is in `invalid[kind][key]`."""

    def __init__(self) -> None:
        self._domains = ResourceStore(MailDomain)
        self._users = ResourceStore(MailUser)
        self._policies = ResourceStore(RateLimitPolicy)
        self._schedules = ResourceStore(BackupSchedule)
        self._backups = ResourceStore(Backup)
        self._restores = ResourceStore(Restore)
        stores = (self._domains, self._users, self._policies, self._schedules, self._backups, self._restores)
        self._stores: dict[str, ResourceStore[Any]] = {store.kind: store for store in stores}
        self.domains: Mapping[Key, MailDomain] = self._domains.parsed
        self.users: Mapping[Key, MailUser] = self._users.parsed
        self.policies: Mapping[Key, RateLimitPolicy] = self._policies.parsed
        self.schedules: Mapping[Key, BackupSchedule] = self._schedules.parsed
        self.backups: Mapping[Key, Backup] = self._backups.parsed
        self.restores: Mapping[Key, Restore] = self._restores.parsed
        self.invalid: Mapping[str, Mapping[Key, Invalid]] = {
            kind: store.invalid for kind, store in self._stores.items()
        }
        self._seen = {kind: SeenObjects() for kind in SEEN}
        self._domain_claims = Claims()
        self._address_claims = Claims()
        self._users_by_domain: dict[str, set[Key]] = {}
        self._secrets: dict[str, References] = {kind: References() for kind in self._stores}

    # What kinds ask.

    def namespace_labels(self, namespace: str) -> Mapping[str, str]:
        """Of a Namespace; what is not known of it is left out, its name never is."""
        return {**self._seen["Namespace"].labels.get(("", namespace), {}), _NAME_LABEL: namespace}

    def domain_owner(self, domain: str) -> MailDomain | None:
        """The oldest MailDomain that claims this name, as its own or as an alias. None also when that one does not
        fit its model: a claim is kept, so another resource must not take the name (see `domain_owner_key`)."""
        key = self._domain_claims.owner(domain.lower())
        return None if key is None else self.domains.get(key)

    def domain_owner_key(self, domain: str) -> Key | None:
        """The same, whether it fits its model or not."""
        return self._domain_claims.owner(domain.lower())

    def domain_claimants(self, domain: str) -> Collection[Key]:
        """All MailDomains that claim this name, its owner first."""
        return self._domain_claims.claimants(domain.lower())

    def address_owner(self, address: str) -> MailUser | None:
        """The oldest MailUser that claims this address, as its own or as an alias; None as with `domain_owner`."""
        key = self._address_claims.owner(address_key(address))
        return None if key is None else self.users.get(key)

    def address_owner_key(self, address: str) -> Key | None:
        """The same, whether it fits its model or not."""
        return self._address_claims.owner(address_key(address))

    def address_claimants(self, address: str) -> Collection[Key]:
        """All MailUsers that claim this address, its owner first."""
        return self._address_claims.claimants(address_key(address))

    def users_of_domain(self, domain: str) -> Collection[Key]:
        """MailUsers whose address is of that domain, in all namespaces."""
        return tuple(self._users_by_domain.get(domain.lower(), ()))

    def referring(self, kind: str, secret: Key) -> Collection[Key]:
        """Resources of a kind (MailUser, MailDomain, Backup…) that name this Secret; also those that have it made."""
        return self._secrets[kind].to(secret)

    def version(self, kind: str, key: Key) -> str | None:
        """ "uid/resourceVersion" of a watched Secret, Job, CronJob or Certificate (of Jobs and CronJobs only ours
        are watched); None: there is none, or it was not seen yet."""
        return self._seen[kind].version(key)

    def secret_version(self, namespace: str, name: str) -> str | None:
        """The same for a Secret: whoever applied that version has nothing to read. Secrets of Helm and of service
        accounts are not watched."""
        return self._seen["Secret"].version((namespace, name))

    def resource(self, kind: str, key: Key) -> Any:
        """The resource of one of our kinds, when it fits its model."""
        return self._stores[kind].parsed.get(key)

    def keys(self, kind: str) -> Collection[Key]:
        """All resources of a kind, whether they fit or not."""
        return self._stores[kind].keys()

    # What the frame does.

    def raw_status(self, kind: str, key: Key) -> dict[str, Any]:
        """The status as it is stored."""
        return self._stores[kind].status.get(key, {})

    def take(self, kind: str, document: dict[str, Any]) -> Change | None:
        """An object as it was seen. None: nothing new, or older than what is known."""
        change = self._store(kind).take(document)
        if change is not None and kind in self._stores:
            self._index(kind, change.key, document)
        return change

    def drop(self, kind: str, key: Key, uid: str) -> bool:
        """It is gone. False: it was not there, or another has its name by now."""
        if not self._store(kind).drop(key, uid):
            return False
        if kind in self._stores:
            self._unindex(kind, key)
        return True

    def news(self, kind: str, document: dict[str, Any]) -> Change | None:
        """What `take` would say, without taking it."""
        return self._store(kind).news(document)

    def known(self, kind: str) -> dict[Key, tuple[str, str]]:
        """uid and resourceVersion of each object of a kind."""
        return self._store(kind).known()

    def _store(self, kind: str) -> "ResourceStore[Any] | SeenObjects":
        return self._stores.get(kind) or self._seen[kind]

    def _index(self, kind: str, key: Key, document: dict[str, Any]) -> None:
        self._unindex(kind, key)
        spec = document.get("spec")
        spec = spec if isinstance(spec, dict) else {}
        self._secrets[kind].set(key, ((key[0], name) for name in _secret_names(spec)))
        # From the document, not from the model: a resource that no longer fits keeps what it claimed.
        if kind == "MailDomain":
            name = spec.get("domain")
            own = name if isinstance(name, str) and name else key[1]
            aliases, granted = _aliases(document, str.lower)
            self._domain_claims.set(key, age_of(document), (own.lower(), *granted), aliases)
        elif kind == "MailUser":
            address = spec.get("address")
            if isinstance(address, str) and address:
                aliases, granted = _aliases(document, address_key)
                self._address_claims.set(key, age_of(document), (address_key(address), *granted), aliases)
                self._users_by_domain.setdefault(domain_of(address), set()).add(key)

    def _unindex(self, kind: str, key: Key) -> None:
        self._secrets[kind].drop(key)
        if kind == "MailDomain":
            self._domain_claims.drop(key)
        elif kind == "MailUser":
            for address in self._address_claims.names(key):
                users = self._users_by_domain.get(domain_of(address))
                if users is not None:
                    users.discard(key)
                    if not users:
                        del self._users_by_domain[domain_of(address)]
            self._address_claims.drop(key)


def _aliases(document: Mapping[str, Any], key_of: Callable[[str], str]) -> tuple[set[str], set[str]]:
    """Those of spec, and those of them that the status says it has."""
    spec, status = (document.get(part) for part in ("spec", "status"))
    wanted = {key_of(name) for name in _texts(spec if isinstance(spec, dict) else {}, "aliases")}
    had = {key_of(name) for name in _texts(status if isinstance(status, dict) else {}, "aliases")}
    return wanted, wanted & had


def _texts(spec: Mapping[str, Any], name: str) -> list[str]:
    found = spec.get(name)
    return [text for text in found if isinstance(text, str)] if isinstance(found, list) else []


def _secret_names(value: Any) -> Iterable[str]:
    """Every Secret that a spec names: `…SecretRef.name`, `secretRef.name`, `generatedSecret.name`, `secretName`."""
    if isinstance(value, list):
        for item in value:
            yield from _secret_names(item)
    elif isinstance(value, dict):
        for field_name, item in value.items():
            lower = field_name.lower()
            if isinstance(item, dict) and (lower.endswith("secretref") or lower == "generatedsecret"):
                if isinstance(item.get("name"), str):
                    yield item["name"]
            elif lower == "secretname" and isinstance(item, str):
                yield item
            else:
                yield from _secret_names(item)
