"""The domain as the server should have it, beside what it has. Pure."""

from collections.abc import Mapping
from typing import Any

from pydantic.alias_generators import to_camel

from mailraven_api.kubernetes import MailDomain
from mailraven_operator.domains.ownership import NAMESPACE_LABEL
from mailraven_operator.outcome import invalid_spec
from mailraven_operator.server import ServerRefused

Document = dict[str, Any]
_LABELS_MAX = 64
# What the API calls otherwise than the resource.
_FIELDS = {"status": "suspended", "default_quota_bytes": "defaultQuota"}


def wanted_document(resource: MailDomain) -> Document:
    """The body for PUT /domains/NAME: only what was set; the rest is the template's. The labels are the resource's
    and one with its namespace. Raises Problem."""
    labels = {**resource.metadata.labels, NAMESPACE_LABEL: resource.metadata.namespace}
    if len(labels) > _LABELS_MAX:
        raise invalid_spec("metadata.labels", f"expected at most {_LABELS_MAX - 1}: the server keeps them")
    document = resource.spec.to_domain_spec(labels).model_dump(mode="json", exclude_unset=True)
    if document.get("aliases"):
        document["aliases"] = sorted(set(document["aliases"]))  # as the server stores them
    return document


def differing_fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """Which parts of the spec are not the same, in the resource's words. Labels are not among them."""
    names = sorted((before.keys() | after.keys()) - {"labels"})
    return tuple(spec_field(f"/{name}") for name in names if before.get(name) != after.get(name))


def spec_field(pointer: str) -> str:
    """The field of the resource that /default_quota_bytes or /security/dkim/key_size of the API stands for."""
    parts = [part for part in pointer.split("/") if part]
    found = "spec"
    for part in parts:
        found += f"[{part}]" if part.isdigit() else f".{_FIELDS.get(part) or to_camel(part)}"
    return found


def refusal(error: ServerRefused, resource: MailDomain) -> tuple[str, str] | None:
    """Reason and message for a no to PUT /domains/NAME; None: nothing that the resource could do about it."""
    text = error.detail or error.title
    if error.status == 409:
        return "Conflict", text
    if error.status not in (400, 422):
        return None
    field = spec_field(error.field) if error.field else _blamed(resource)
    return "InvalidSpec", f"{field}: {text.removeprefix(f'{error.field}: ')}"


def _blamed(resource: MailDomain) -> str:
    """The server read the whole body, and then something in it was no name or address."""
    if resource.domain in resource.spec.aliases:
        return "spec.aliases"
    if resource.domain.rpartition(".")[2].isdigit() or resource.spec.catch_all is None:
        return "spec.domain"
    return "spec.catchAll"
