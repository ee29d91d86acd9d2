"""What a manifest asks of the server, beside what the server has: the differences, and the requests that end them."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from mailraven.cli.api_client import Api, ApiError, path
from mailraven.cli.manifests import Manifest
from mailraven.cli.problems import CommandError
from mailraven_api.account import AccountSpec
from mailraven_api.kubernetes import MailDomain, MailUser, RateLimitPolicy, address_key, domain_of
from mailraven_api.policy import RateLimitPolicySpec

Action = Literal["created", "configured", "unchanged", "deleted"]
Fields = dict[str, Any]
NOT_FOUND = 404
PRECONDITION_FAILED = 412


@dataclass(frozen=True, slots=True)
class Change:
    """Of one thing on the server; `before` is None for a new one, `after` for one that is to go."""

    kind: str
    name: str
    source: str
    """FILE:LINE"""
    place: str
    """Its path in the API."""
    before: Fields | None
    after: Fields | None
    body: Fields = field(default_factory=dict, repr=False)
    """Of the PUT; it may hold a secret."""
    etag: str | None = None

    @property
    def title(self) -> str:
        """As kubectl writes it."""
        return f"{self.kind.lower()}/{self.name}"

    @property
    def action(self) -> Action:
        """In kubectl's words."""
        if self.before == self.after:
            return "unchanged"
        if self.before is None:
            return "created"
        return "deleted" if self.after is None else "configured"

    def lines(self) -> list[str]:
        """As a unified diff of YAML; nothing when there is no difference."""
        if self.action == "unchanged":
            return []
        old, new = ([] if fields is None else _yaml(fields) for fields in (self.before, self.after))
        lines = difflib.unified_diff(old, new, f"a/{self.title}", f"b/{self.title}", lineterm="", n=2)
        return list(lines) or [f"--- a/{self.title}", f"+++ b/{self.title}"]  # new, all its fields have their defaults


def places_of(manifest: Manifest) -> list[str]:
    """Where the API has what a manifest makes, in the order in which it can be deleted."""
    match manifest.resource:
        case MailDomain():
            return [path("domains", manifest.name)]
        case MailUser():
            return [*map(_alias_place, manifest.resource.spec.aliases), path("accounts", manifest.name)]
        case RateLimitPolicy():
            return [path("limits", "policies", manifest.name)]


def compare(api: Api, manifest: Manifest) -> list[Change]:
    """Reads what is there. Raises CommandError."""
    try:
        match manifest.resource:
            case MailDomain():
                return list(_domain(api, manifest, manifest.resource))
            case MailUser():
                return list(_user(api, manifest, manifest.resource))
            case RateLimitPolicy():
                return [_policy(api, manifest, manifest.resource)]
    except ApiError as error:
        raise CommandError(f"{manifest.where}: {manifest.title}: {error}") from None


def perform(api: Api, change: Change) -> None:
    """Sends it; nothing is overwritten that changed since compare(). Raises CommandError."""
    try:
        if change.after is None:
            api.delete(change.place)
        else:
            api.put(change.place, change.body, etag=change.etag)
    except ApiError as error:
        if error.status == PRECONDITION_FAILED:
            raise CommandError(f"{change.source}: {change.title}: changed by somebody else meanwhile") from None
        raise CommandError(f"{change.source}: {change.title}: {error}") from None


def _read(api: Api, place: str) -> tuple[Any, str | None]:
    try:
        return api.read(place)
    except ApiError as error:
        if error.status == NOT_FOUND:
            return None, None
        raise


def _domain(api: Api, manifest: Manifest, resource: MailDomain) -> Iterator[Change]:
    place = path("domains", manifest.name)
    spec = resource.spec.to_domain_spec(resource.metadata.labels)
    after = spec.model_dump(mode="json", exclude_unset=True)
    found, etag = _read(api, place)
    before = None if found is None else found["spec"]
    yield Change(resource.kind, manifest.name, manifest.where, place, before, after, after, etag)
    if resource.spec.tls.secret_ref is not None and manifest.secret is not None:
        yield _certificate(api, manifest, resource.spec.tls.secret_ref.name, manifest.secret)


def _certificate(api: Api, manifest: Manifest, name: str, secret: dict[str, str]) -> Change:
    place = path("certificates", name)
    found, etag = _read(api, place)
    before = None if found is None else {"chain": found["chain"].strip()}
    body = {"chain": secret["tls.crt"], "private_key": secret["tls.key"]}
    after = {"chain": secret["tls.crt"].strip()}
    return Change("Certificate", name, manifest.where, place, before, after, body, etag)


def _user(api: Api, manifest: Manifest, resource: MailUser) -> Iterator[Change]:
    place = path("accounts", manifest.name)
    asked = resource.spec.to_account_put(resource.metadata.labels)
    body = asked.model_dump(mode="json", exclude_unset=True)
    found, etag = _read(api, place)
    if found is None:
        ref = resource.spec.password_secret_ref
        if ref is not None and manifest.secret is None:
            raise CommandError(f"{manifest.where}: {manifest.title}: Secret {ref.name} is not in the files")
        password = {"password": manifest.secret[ref.key]} if ref is not None and manifest.secret is not None else {}
        yield Change(resource.kind, manifest.name, manifest.where, place, None, body, {**body, **password})
    else:
        before = _normal(AccountSpec, {name: found[name] for name in AccountSpec.model_fields})
        # The password and, unless it is said, the quota stay as they are.
        after = _normal(AccountSpec, {"quota_bytes": before["quota_bytes"], **body})
        yield Change(resource.kind, manifest.name, manifest.where, place, before, after, body, etag)
    for alias in resource.spec.aliases:
        yield _alias(api, manifest, alias)
    if "role" in resource.spec.model_fields_set:
        role = "user" if found is None else found["role"]
        yield _role(manifest, role, resource.spec.role)


def _alias(api: Api, manifest: Manifest, alias: str) -> Change:
    place = _alias_place(alias)
    found, _ = _read(api, place)
    before = None if found is None else {"targets": found["targets"]}
    after = {"targets": [manifest.name]}
    if before and [address_key(target) for target in before["targets"]] == [address_key(manifest.name)]:
        after = before
    return Change("Alias", alias, manifest.where, place, before, after, after)


def _alias_place(alias: str) -> str:
    return path("domains", domain_of(alias), "aliases", alias)


def _role(manifest: Manifest, before: str, after: str) -> Change:
    """What else an admin administers stays when only that is asked for which he is."""
    place = path("admins", manifest.name)
    was, will = (None if role == "user" else {"role": role} for role in (before, after))
    return Change("Admin", manifest.name, manifest.where, place, was, will, will or {})


def _policy(api: Api, manifest: Manifest, resource: RateLimitPolicy) -> Change:
    place = path("limits", "policies", manifest.name)
    spec = resource.spec.to_policy_spec()
    body = spec.model_dump(mode="json", exclude_unset=True)
    found, etag = _read(api, place)
    before, after = None, body
    if found is not None:
        before, after = _normal(RateLimitPolicySpec, found["spec"]), spec.model_dump(mode="json")
    return Change(resource.kind, manifest.name, manifest.where, place, before, after, body, etag)


def _normal(model: type[AccountSpec] | type[RateLimitPolicySpec], document: Fields) -> Fields:
    return model.model_validate(document).model_dump(mode="json")


def _yaml(document: Fields) -> list[str]:
    import yaml

    return [] if not document else yaml.safe_dump(document, sort_keys=False, allow_unicode=True).splitlines()
