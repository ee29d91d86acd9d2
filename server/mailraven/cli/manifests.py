"""Manifests: MailDomain, MailUser and RateLimitPolicy documents, checked whole before anything is sent."""

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from mailraven.cli.problems import CommandError
from mailraven.cli.yaml_documents import Document, read_documents
from mailraven_api.resources import API_VERSION, KINDS, LATER_KINDS, MailDomain, MailUser, RateLimitPolicyResource

Resource = MailDomain | MailUser | RateLimitPolicyResource
_ORDER = {kind: number for number, kind in enumerate(KINDS)}
Secrets = dict[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class Manifest:
    """A resource and where it was written."""

    resource: Resource
    where: str
    name: str
    password: str | None = field(default=None, repr=False)

    @property
    def title(self) -> str:
        """As kubectl writes it."""
        return f"{self.resource.kind.lower()}/{self.name}"


def read_manifests(sources: Sequence[str]) -> list[Manifest]:
    """In the order in which they can be applied. Raises CommandError with a line for each problem."""
    documents = [item for source in sources for document in read_documents(source) for item in _items(document)]
    problems: list[str] = []
    secrets = _secrets(documents, problems)
    manifests: list[Manifest] = []
    for document in documents:
        if not _is_secret(document.value):
            try:
                manifests.append(_manifest(document, secrets))
            except CommandError as error:
                problems += str(error).splitlines()
    problems += _repeated(manifests)
    if problems:
        raise CommandError("\n".join(problems))
    if not manifests:
        raise CommandError("nothing to apply: no document in " + ", ".join(sources))
    return sorted(manifests, key=lambda manifest: _ORDER[manifest.resource.kind])


def _items(document: Document) -> Iterable[Document]:
    """The documents of a `kind: List`, or the document."""
    value = document.value
    if not isinstance(value, dict) or value.get("kind") != "List" or not isinstance(value.get("items"), list):
        return [document]
    found = []
    for index, item in enumerate(value["items"]):
        place = ("items", index)
        lines = {path[2:]: line for path, line in document.lines.items() if path[:2] == place}
        found.append(Document(document.source, item, lines))
    return found


def _manifest(document: Document, secrets: Secrets) -> Manifest:
    value = document.value
    if not isinstance(value, dict):
        raise CommandError(f"{document.where()}: expected apiVersion, kind, metadata and spec")
    kind = value.get("kind")
    if kind in LATER_KINDS:
        raise CommandError(f"{document.where('kind')}: {kind}: {LATER_KINDS[kind]}")
    if not isinstance(kind, str) or kind not in KINDS:
        raise CommandError(f"{document.where('kind')}: unknown kind {kind!r}: expected one of {', '.join(KINDS)}")
    if value.get("apiVersion") != API_VERSION:
        raise CommandError(f"{document.where('apiVersion')}: expected apiVersion {API_VERSION}")
    if value.get("spec", ...) is None:  # `spec:` with nothing below it
        value = {key: item for key, item in value.items() if key != "spec"}
    try:
        resource = KINDS[kind].model_validate(value)
    except ValidationError as error:
        raise CommandError("\n".join(_explain(document, error))) from None
    if isinstance(resource, MailUser):
        return Manifest(resource, document.where(), resource.spec.address, _password(document, resource, secrets))
    return Manifest(resource, document.where(), resource.metadata.name)


def _explain(document: Document, error: ValidationError) -> Iterable[str]:
    for detail in error.errors(include_url=False, include_input=False):
        path = tuple(part for part in detail["loc"])
        name = ".".join(str(part) for part in path)
        match detail["type"]:
            case "extra_forbidden":
                text = f"{name}: unknown field"
            case "missing":
                text = f"{name}: missing"
            case _:
                text = f"{name}: {detail['msg'].removeprefix('Value error, ')}"
        yield f"{document.where(*path)}: {text}"


def _is_secret(value: Any) -> bool:
    return isinstance(value, dict) and value.get("kind") == "Secret" and value.get("apiVersion") == "v1"


def _secrets(documents: Iterable[Document], problems: list[str]) -> Secrets:
    secrets: Secrets = {}
    for document in documents:
        value = document.value
        if not _is_secret(value):
            continue
        metadata = value.get("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) else None
        if not isinstance(name, str) or name in secrets:
            problems.append(f"{document.where('metadata', 'name')}: Secret: expected a name that is not given twice")
            continue
        secrets[name] = {}
        for key, text in _mapping(value.get("data")).items():
            try:
                secrets[name][key] = base64.b64decode(str(text), validate=True).decode()
            except (binascii.Error, UnicodeDecodeError, ValueError):
                problems.append(f"{document.where('data', key)}: Secret {name}: expected base64 of UTF-8 text")
        secrets[name] |= {key: str(text) for key, text in _mapping(value.get("stringData")).items()}
    return secrets


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _password(document: Document, user: MailUser, secrets: Secrets) -> str | None:
    """None also when the Secret is elsewhere: it is needed only for a new account."""
    wanted = user.spec.password_secret
    if wanted is None or wanted.name not in secrets:
        return None
    try:
        return secrets[wanted.name][wanted.key]
    except KeyError:
        where = document.where("spec", "password_secret")
        raise CommandError(f"{where}: Secret {wanted.name} has no key {wanted.key}") from None


def _repeated(manifests: Sequence[Manifest]) -> Iterable[str]:
    seen: dict[str, str] = {}
    for manifest in manifests:
        title = manifest.title.casefold()
        if title in seen:
            yield f"{manifest.where}: {manifest.title} is also in {seen[title]}"
        seen.setdefault(title, manifest.where)
