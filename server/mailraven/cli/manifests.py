"""Manifests: documents of the custom resources, checked whole before anything is sent."""

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from mailraven.cli import only_in_a_cluster
from mailraven.cli.older_names import with_todays_names
from mailraven.cli.problems import CommandError
from mailraven.cli.yaml_documents import Document, read_documents
from mailraven_api.kubernetes import API_VERSION, MailDomain, MailUser, RateLimitPolicy, Resource, problem
from mailraven_api.kubernetes.crd import DEFINITIONS

KINDS: dict[str, type[Resource]] = {definition.kind: definition.model for definition in DEFINITIONS}
_ORDER = {kind: number for number, kind in enumerate(KINDS)}
Secret = dict[str, str]
_Secrets = dict[tuple[str, str], Secret]


@dataclass(frozen=True, slots=True)
class Manifest:
    """A resource and where it was written; `secret` is the one that it names, if that is in the files."""

    resource: MailDomain | MailUser | RateLimitPolicy
    where: str
    secret: Secret | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """What the server calls it."""
        match self.resource:
            case MailDomain():
                return self.resource.spec.domain or self.resource.metadata.name
            case MailUser():
                return self.resource.spec.address
            case RateLimitPolicy():
                return self.resource.metadata.name

    @property
    def title(self) -> str:
        """As kubectl writes it."""
        return f"{self.resource.kind.lower()}/{self.name}"


@dataclass(frozen=True, slots=True)
class Manifests:
    """In the order in which they can be applied; `notes` are about what was read and means nothing here."""

    items: list[Manifest]
    notes: list[str]


def read_manifests(sources: Sequence[str]) -> Manifests:
    """Raises CommandError with a line for each problem."""
    documents = [item for source in sources for document in read_documents(source) for item in _items(document)]
    problems: list[str] = []
    secrets = _secrets(documents, problems)
    manifests: list[Manifest] = []
    notes = _Notes()
    for document in documents:
        if _is_secret(document.value):
            continue
        try:
            today, resource = _resource(document)
            if isinstance(resource, MailDomain | MailUser | RateLimitPolicy):
                manifest = Manifest(resource, document.where(), _secret_of(today, resource, secrets))
                manifests.append(manifest)
                notes.add_fields(manifest, today)
            else:
                notes.add(
                    f"{resource.kind} is for clusters", document.where(), only_in_a_cluster.SKIPPED[resource.kind]
                )
        except CommandError as error:
            problems += str(error).splitlines()
    problems += _repeated(manifests)
    if problems:
        raise CommandError("\n".join(problems))
    if not manifests and not notes.lines():
        raise CommandError("nothing to apply: no document in " + ", ".join(sources))
    return Manifests(sorted(manifests, key=lambda manifest: _ORDER[manifest.resource.kind]), notes.lines())


class _Notes:
    """One line for what is the same in many documents."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], list[str]] = {}

    def add(self, what: str, where: str, advice: str) -> None:
        self._found.setdefault((what, advice), []).append(where)

    def add_fields(self, manifest: Manifest, document: Document) -> None:
        for path, advice in only_in_a_cluster.fields(manifest.resource, in_files=manifest.secret is not None):
            self.add(f"spec.{'.'.join(path)} is for clusters", document.where("spec", *path), advice)

    def lines(self) -> list[str]:
        found = []
        for (what, advice), (first, *others) in self._found.items():
            more = f" (and {len(others)} more)" if others else ""
            found.append(f"{first}{more}: {what}" + (f": {advice}" if advice else ""))
        return found


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


def _resource(document: Document) -> tuple[Document, Resource]:
    """The document with today's names, and what it says. Raises CommandError."""
    value = document.value
    if not isinstance(value, dict):
        raise CommandError(f"{document.where()}: expected apiVersion, kind, metadata and spec")
    kind = value.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise CommandError(f"{document.where('kind')}: unknown kind {kind!r}: expected one of {', '.join(KINDS)}")
    if value.get("apiVersion") != API_VERSION:
        raise CommandError(f"{document.where('apiVersion')}: expected apiVersion {API_VERSION}")
    if value.get("spec", ...) is None:  # `spec:` with nothing below it
        value = {key: item for key, item in value.items() if key != "spec"}
    today = with_todays_names(Document(document.source, value, document.lines))
    try:
        return today, KINDS[kind].model_validate(today.value)
    except ValidationError as error:
        raise CommandError("\n".join(_explain(today, error))) from None


def _explain(document: Document, error: ValidationError) -> Iterable[str]:
    for detail in error.errors(include_url=False, include_input=False):
        path = detail["loc"]
        name = ".".join(str(part) for part in path)
        place = document.where(*(to_camel(part) if isinstance(part, str) else part for part in path))
        yield f"{place}: {name}: {problem(detail['type'], detail['msg'])}"


def _is_secret(value: Any) -> bool:
    return isinstance(value, dict) and value.get("kind") == "Secret" and value.get("apiVersion") == "v1"


def _secrets(documents: Iterable[Document], problems: list[str]) -> _Secrets:
    """By namespace and name."""
    secrets: _Secrets = {}
    for document in documents:
        value = document.value
        if not _is_secret(value):
            continue
        metadata = _mapping(value.get("metadata"))
        name = metadata.get("name")
        key = (str(metadata.get("namespace") or ""), str(name))
        if not isinstance(name, str) or key in secrets:
            problems.append(f"{document.where('metadata', 'name')}: Secret: expected a name that is not given twice")
            continue
        secrets[key] = {}
        for entry, text in _mapping(value.get("data")).items():
            try:
                secrets[key][entry] = base64.b64decode(str(text), validate=True).decode()
            except (binascii.Error, UnicodeDecodeError, ValueError):
                problems.append(f"{document.where('data', entry)}: Secret {name}: expected base64 of UTF-8 text")
        secrets[key] |= {entry: str(text) for entry, text in _mapping(value.get("stringData")).items()}
    return secrets


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _secret_of(document: Document, resource: Resource, secrets: _Secrets) -> Secret | None:
    """None also when the Secret is elsewhere. Raises CommandError if it lacks a key."""
    where: tuple[str, ...]
    if isinstance(resource, MailUser) and (password := resource.spec.password_secret_ref) is not None:
        name, keys, where = password.name, [password.key], ("spec", "passwordSecretRef")
    elif isinstance(resource, MailDomain) and (ref := resource.spec.tls.secret_ref) is not None:
        name, keys, where = ref.name, ["tls.crt", "tls.key"], ("spec", "tls", "secretRef")
    else:
        return None
    found = secrets.get((resource.metadata.namespace, name))
    for key in keys:
        if found is not None and key not in found:
            raise CommandError(f"{document.where(*where)}: Secret {name} has no key {key}")
    return found


def _repeated(manifests: Sequence[Manifest]) -> Iterable[str]:
    seen: dict[str, str] = {}
    for manifest in manifests:
        title = manifest.title.casefold()
        if title in seen:
            yield f"{manifest.where}: {manifest.title} is also in {seen[title]}"
        seen.setdefault(title, manifest.where)
