"""What a manifest asks of the server, beside what the server has: the difference, and the request that ends it."""

import difflib
from dataclasses import dataclass
from typing import Any, Literal

from mailraven.cli.api_client import Api, ApiError, path
from mailraven.cli.manifests import Manifest
from mailraven.cli.problems import CommandError
from mailraven_api.account import AccountSpec
from mailraven_api.domain import DomainSpec
from mailraven_api.policy import RateLimitPolicySpec
from mailraven_api.resources import MailDomain, MailUser

Action = Literal["created", "configured", "unchanged"]
Fields = dict[str, Any]
NOT_FOUND = 404
PRECONDITION_FAILED = 412
_NOT_OF_THE_ACCOUNT = {"address", "password_secret"}


@dataclass(frozen=True, slots=True)
class Change:
    """Of one resource; `before` is None for a new one."""

    manifest: Manifest
    where: str
    before: Fields | None
    after: Fields
    body: Fields
    etag: str | None

    @property
    def action(self) -> Action:
        """In kubectl's words."""
        if self.before is None:
            return "created"
        return "unchanged" if self.before == self.after else "configured"

    def lines(self) -> list[str]:
        """As a unified diff of YAML; nothing when there is no difference."""
        if self.action == "unchanged":
            return []
        old = [] if self.before is None else _yaml(self.before)
        title = self.manifest.title
        lines = difflib.unified_diff(old, _yaml(self.after), f"a/{title}", f"b/{title}", lineterm="", n=2)
        return list(lines) or [f"--- a/{title}", f"+++ b/{title}"]  # new, and all its fields have their defaults


def place_of(manifest: Manifest) -> str:
    """Where the API has it."""
    if isinstance(manifest.resource, MailDomain):
        return path("domains", manifest.name)
    if isinstance(manifest.resource, MailUser):
        return path("accounts", manifest.name)
    return path("limits", "policies", manifest.name)


def compare(api: Api, manifest: Manifest) -> Change:
    """Reads the resource. Raises CommandError."""
    resource = manifest.resource
    if isinstance(resource, MailDomain):
        return _domain(api, manifest, _with_labels(resource.spec, resource.metadata.labels))
    if isinstance(resource, MailUser):
        return _user(api, manifest, resource)
    return _policy(api, manifest, resource.spec)


def perform(api: Api, change: Change) -> None:
    """Sends it; nothing is overwritten that changed since compare(). Raises CommandError."""
    manifest = change.manifest
    body = change.body
    if change.before is None and isinstance(manifest.resource, MailUser) and manifest.resource.spec.password_secret:
        body = {**body, "password": manifest.password}
    try:
        api.put(change.where, body, etag=change.etag)
    except ApiError as error:
        if error.status == PRECONDITION_FAILED:
            raise CommandError(f"{manifest.where}: {manifest.title}: changed by somebody else meanwhile") from None
        raise CommandError(f"{manifest.where}: {manifest.title}: {error}") from None


def _with_labels(spec: DomainSpec, labels: dict[str, str]) -> DomainSpec:
    if not labels:
        return spec
    document = spec.model_dump(mode="json", exclude_unset=True)
    return DomainSpec.model_validate({**document, "labels": {**labels, **spec.labels}})


def _read(api: Api, where: str, manifest: Manifest) -> tuple[Any, str | None]:
    try:
        return api.read(where)
    except ApiError as error:
        if error.status == NOT_FOUND:
            return None, None
        raise CommandError(f"{manifest.where}: {manifest.title}: {error}") from None


def _domain(api: Api, manifest: Manifest, spec: DomainSpec) -> Change:
    where = place_of(manifest)
    after = spec.model_dump(mode="json", exclude_unset=True)
    found, etag = _read(api, where, manifest)
    return Change(manifest, where, None if found is None else found["spec"], after, after, etag)


def _user(api: Api, manifest: Manifest, resource: MailUser) -> Change:
    where = place_of(manifest)
    body = resource.spec.model_dump(mode="json", exclude_unset=True, exclude=_NOT_OF_THE_ACCOUNT)
    if resource.metadata.labels:
        body["labels"] = {**resource.metadata.labels, **resource.spec.labels}
    found, etag = _read(api, where, manifest)
    if found is None:
        secret = resource.spec.password_secret
        if secret and manifest.password is None:
            raise CommandError(f"{manifest.where}: {manifest.title}: Secret {secret.name} is not in the files")
        return Change(manifest, where, None, body, body, None)
    before = _normal(AccountSpec, {name: found[name] for name in AccountSpec.model_fields})
    # The password and, unless it is said, the quota stay as they are.
    after = _normal(AccountSpec, {"quota_bytes": before["quota_bytes"], **body})
    return Change(manifest, where, before, after, body, etag)


def _policy(api: Api, manifest: Manifest, spec: RateLimitPolicySpec) -> Change:
    where = place_of(manifest)
    body = spec.model_dump(mode="json", exclude_unset=True)
    found, etag = _read(api, where, manifest)
    if found is None:
        return Change(manifest, where, None, body, body, None)
    return Change(
        manifest, where, _normal(RateLimitPolicySpec, found["spec"]), spec.model_dump(mode="json"), body, etag
    )


def _normal(model: type[AccountSpec] | type[RateLimitPolicySpec], document: Fields) -> Fields:
    return model.model_validate(document).model_dump(mode="json")


def _yaml(document: Fields) -> list[str]:
    import yaml

    return [] if not document else yaml.safe_dump(document, sort_keys=False, allow_unicode=True).splitlines()
