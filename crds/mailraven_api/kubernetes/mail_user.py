"""MailUser: an account."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, SecretStr, model_validator

from mailraven_api import account as api
from mailraven_api.credentials import MailProtocol
from mailraven_api.kubernetes.limits import AccountLimits
from mailraven_api.kubernetes.meta import (
    KubeModel,
    ObjectName,
    ObjectReference,
    PasswordSecretRef,
    ReclaimPolicy,
    Resource,
    ResourceStatus,
)
from mailraven_api.kubernetes.names import MailAddress
from mailraven_api.kubernetes.quantity import Quota
from mailraven_api.kubernetes.rule import rules
from mailraven_api.kubernetes.status import LenientStatus

_NOT_OF_THE_ACCOUNT = (
    "address", "password_secret_ref", "generated_secret", "quota", "aliases", "disabled_protocols", "role",
    "app_passwords", "reclaim_policy",
)  # fmt: skip


class Forwarding(KubeModel, api.Forwarding):
    """Where mail of an account goes beside or instead of its mailbox."""


class Vacation(KubeModel, api.Vacation):
    """The answer while somebody is away. It is stored and shown only: this version sends no automatic answers."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "!has(self.startsAt) || !has(self.endsAt) || self.endsAt > self.startsAt",
                "endsAt has to be after startsAt",
                ".endsAt",
            )
        )
    )


class AppPassword(KubeModel):
    """A password for one program, which the operator makes and keeps in a Secret."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    """What uses it: phone, laptop."""
    secret_name: ObjectName
    """The Secret that is made for it in the namespace of the MailUser."""
    protocols: Annotated[tuple[MailProtocol, ...], Field(min_length=1, max_length=2)] = ("smtp", "imap")
    """What it opens."""


class MailUserSpec(KubeModel):
    """Desired state of an account."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "!(has(self.passwordSecretRef) && has(self.generatedSecret))",
                "expected at most one of passwordSecretRef and generatedSecret",
            ),
            (
                "!has(self.appPasswords) || self.appPasswords.all(one, "
                "self.appPasswords.exists_one(other, other.secretName == one.secretName) "
                "&& !(has(self.generatedSecret) && self.generatedSecret.name == one.secretName) "
                "&& !(has(self.passwordSecretRef) && self.passwordSecretRef.name == one.secretName))",
                "two passwords are to be in the same Secret",
                ".appPasswords",
            ),
        )
    )

    address: Annotated[
        MailAddress,
        Field(json_schema_extra=rules(("self == oldSelf", "address does not change: another address is another user"))),
    ]
    """The whole address. It does not change: another address is another user."""
    password_secret_ref: PasswordSecretRef | None = None
    """The Secret with the password. A new password in it is the account's new password."""
    generated_secret: ObjectReference | None = None
    """The Secret that the operator makes, with a password of its own, addresses and ports of the server, and URLs."""
    display_name: api.DisplayName = ""
    """The name of the person."""
    quota: Quota = None
    """Octets, or a quantity (2Gi). Left out: that of the domain. none: no quota."""
    aliases: Annotated[tuple[MailAddress, ...], Field(max_length=100)] = ()
    """Other addresses of the account."""
    forwarding: Forwarding | None = None
    vacation: Vacation | None = None
    suspended: bool = False
    """Receives nothing and logs in nowhere."""
    disabled_protocols: api.Disabled = ()
    """Protocols that refuse the account; `receive`: mail to it is refused."""
    role: api.Role = "user"
    """domain-admin: administers its domain. super-admin: everything; only in the operator's own namespace."""
    app_passwords: Annotated[
        tuple[AppPassword, ...],
        Field(
            max_length=50, json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
        ),
    ] = ()
    """Passwords for single programs. They go when they are taken out of the list."""
    limits: AccountLimits = AccountLimits()
    """In place of the limits of the domain."""
    reclaim_policy: ReclaimPolicy = "Retain"
    """When the resource is deleted: Retain leaves the account and its mail on the server, where a resource of the same
    address finds them again; Delete deletes both."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.password_secret_ref is not None and self.generated_secret is not None:
            raise ValueError("expected at most one of passwordSecretRef and generatedSecret")
        names = [password.name for password in self.app_passwords]
        if len(set(names)) != len(names):
            raise ValueError("two appPasswords have the same name")
        secrets = [password.secret_name for password in self.app_passwords]
        secrets += [ref.name for ref in (self.password_secret_ref, self.generated_secret) if ref is not None]
        if len(set(secrets)) != len(secrets):
            raise ValueError("two passwords are to be in the same Secret")
        return self

    def to_account_put(
        self, labels: Mapping[str, str] | None = None, password: SecretStr | None = None
    ) -> api.AccountPut:
        """The API's body: only what was set here is set in it. `labels` are the resource's."""
        body = self.set_fields(*_NOT_OF_THE_ACCOUNT)
        if "quota" in self.model_fields_set:
            body["quota_bytes"] = self.quota
        if "disabled_protocols" in self.model_fields_set:
            body["disabled"] = self.disabled_protocols
        if labels:
            body["labels"] = dict(labels)
        if password is not None:
            body["password"] = password
        return api.AccountPut.model_validate(body)


class MailUserStatus(ResourceStatus):
    """Observed state of an account."""

    address: str | None = None
    """The whole address."""
    quota_bytes: int | None = None
    """Not set: no quota."""
    used_bytes: int | None = None
    """Octets of its mail."""
    messages: int | None = None
    """Messages in all its mailboxes."""
    secret_name: str | None = None
    """The Secret with the credentials."""
    password_version: str | None = None
    """Which version of the Secret the account's password is from."""
    aliases: tuple[str, ...] = ()
    """Those that are there because of this resource: when spec drops one, it is deleted."""
    managed_settings: tuple[str, ...] = ()
    """Which of displayName, forwarding and vacation the resource sets; others are the person's own to change."""


class MailUser(Resource):
    """An account."""

    KIND: ClassVar[str] = "MailUser"

    kind: Literal["MailUser"] = "MailUser"
    spec: MailUserSpec
    status: LenientStatus[MailUserStatus] = MailUserStatus()
