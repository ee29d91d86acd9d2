"""Custom resources as documents: what `kubectl apply` and `mailraven apply` take. The specs are those of the API."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, field_validator

from mailraven_api.account import AccountSpec
from mailraven_api.domain import DomainSpec, Labels, Text
from mailraven_api.model import Model
from mailraven_api.policy import RateLimitPolicySpec

API_VERSION = "mailraven.io/v1alpha1"
ResourceName = Annotated[str, Field(min_length=1, max_length=253)]
SecretKey = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]


class Metadata(Model):
    """Of any Kubernetes object. Only the name and the labels mean something here; the rest is Kubernetes' own."""

    model_config = ConfigDict(extra="allow")

    name: ResourceName
    labels: Labels = {}

    @field_validator("name")
    @classmethod
    def _one_line(cls, name: str) -> str:
        if not name.isprintable() or "/" in name or name.strip() != name:
            raise ValueError("expected a name without spaces around it, slashes and control characters")
        return name


class SecretReference(Model):
    """A key of a Secret (`kind: Secret`, `apiVersion: v1`) in the same namespace, or on a single host in the files."""

    name: ResourceName
    key: SecretKey = "password"


class UserSpec(AccountSpec):
    """Desired state of a MailUser: the account's, its address, and where its password is."""

    address: Text
    """The whole address. It does not change: another address is another user."""
    password_secret: SecretReference | None = None
    """A new account gets this password. Left out: it has none, and nobody logs in."""


class Resource(Model):
    """What all kinds share."""

    apiVersion: Literal["mailraven.io/v1alpha1"]
    kind: str
    metadata: Metadata
    status: Any = None
    """Written by the operator; ignored."""


class MailDomain(Resource):
    """A domain; its name is the resource's."""

    kind: Literal["MailDomain"]
    spec: DomainSpec = DomainSpec()


class MailUser(Resource):
    """An account."""

    kind: Literal["MailUser"]
    spec: UserSpec


class RateLimitPolicyResource(Resource):
    """A policy; its name is the resource's."""

    kind: Literal["RateLimitPolicy"]
    spec: RateLimitPolicySpec


# In the order in which they have to be made.
KINDS: dict[str, type[MailDomain] | type[MailUser] | type[RateLimitPolicyResource]] = {
    "MailDomain": MailDomain,
    "MailUser": MailUser,
    "RateLimitPolicy": RateLimitPolicyResource,
}
LATER_KINDS = {
    "BackupSchedule": "this server has no backups yet",
}
"""Kinds of the operator that this version does not take, and why."""
