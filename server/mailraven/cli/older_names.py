"""Names that fields of manifests had before they were written in camelCase. They are still read."""

from typing import Any

from pydantic.alias_generators import to_camel

from mailraven.cli.problems import CommandError
from mailraven.cli.yaml_documents import Document, Path_
from mailraven_api.domain import unflatten

# Of the fields of a spec. Those that are only written otherwise (max_users, maxUsers) the models know by themselves.
_RENAMED = {
    "MailDomain": {"default_quota_bytes": "defaultQuota"},
    "MailUser": {"password_secret": "passwordSecretRef", "quota_bytes": "quota", "disabled": "disabledProtocols"},
}
_SUSPENDED = {"active": False, "suspended": True}


def with_todays_names(document: Document) -> Document:
    """The same with the fields where they are today; lines go along. Raises CommandError."""
    value = document.value
    kind, spec = value.get("kind"), value.get("spec")
    renamed = _RENAMED.get(kind, {})
    lines = {_place(path, renamed): line for path, line in document.lines.items()}
    if not isinstance(spec, dict):
        return Document(document.source, value, lines)
    if kind == "MailDomain":
        spec = unflatten(spec)
    found: dict[str, Any] = {}
    for name, item in spec.items():
        today = to_camel(renamed.get(name, name))
        if kind == "MailDomain" and name == "status":
            if not isinstance(item, str) or item not in _SUSPENDED:
                raise CommandError(f"{document.where('spec', name)}: spec.status: expected active or suspended")
            today, item = "suspended", _SUSPENDED[item]
        if today in found:
            raise CommandError(f"{document.where('spec', name)}: spec.{today}: given twice, by several names")
        found[today] = item
    metadata = value.get("metadata")
    if kind in _RENAMED and "labels" in found and isinstance(metadata, dict):
        metadata = {**metadata, "labels": _both(metadata.get("labels"), found.pop("labels"))}
    return Document(document.source, {**value, "metadata": metadata, "spec": found}, lines)


def _place(path: Path_, renamed: dict[str, str]) -> Path_:
    """Where a value is today."""
    if path[:2] == ("spec", "labels"):
        return ("metadata", *path[1:])
    return tuple(
        to_camel(renamed.get(part, part) if index == 1 else part)
        if isinstance(part, str) and path[0] == "spec"
        else part
        for index, part in enumerate(path)
    )


def _both(labels: Any, more: Any) -> Any:
    """What is no mapping is for the model to refuse."""
    if more is None:
        return labels
    return {**(labels or {}), **more} if isinstance(more, dict) and isinstance(labels, dict | None) else more
