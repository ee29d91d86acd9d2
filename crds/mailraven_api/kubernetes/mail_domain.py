"""MailDomain: a domain that the server takes mail for."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from mailraven_api import domain as api
from mailraven_api.kubernetes.form import Form
from mailraven_api.kubernetes.limits import DomainLimits
from mailraven_api.kubernetes.meta import (
    KubeModel,
    LabelSelector,
    ObjectName,
    ObjectReference,
    ReclaimPolicy,
    Resource,
    ResourceStatus,
    StatusModel,
)
from mailraven_api.kubernetes.names import DomainName
from mailraven_api.kubernetes.quantity import Quota
from mailraven_api.kubernetes.rule import TEMPLATED, rules
from mailraven_api.kubernetes.status import LenientStatus

_NOT_OF_THE_SERVER = ("domain", "suspended", "default_quota", "tls", "allowed_namespaces", "reclaim_policy")


class DkimSettings(KubeModel, api.DkimSettings):
    """Keys and signatures of outgoing mail (RFC 6376, RFC 8463)."""

    model_config = ConfigDict(json_schema_extra=TEMPLATED)

    selector_prefix: (
        Annotated[
            str, Field(max_length=32), Form(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", "lower-case letters, digits and hyphens")
        ]
        | None
    ) = None
    """Selectors of keys made from now on begin with this; a date follows. Not set: mr, as in mr202611a."""
    rotation_days: Annotated[int, Field(ge=1, le=3650)] | None = None
    """A new key is made when the one that signs is this old. Not set: keys stay until somebody changes them."""


class SpfSettings(KubeModel, api.SpfSettings):
    """SPF (RFC 7208) of mail that comes in. Stored and shown only: this version does not act on it."""

    model_config = ConfigDict(json_schema_extra=TEMPLATED)


class DmarcSettings(KubeModel, api.DmarcSettings):
    """DMARC (RFC 7489) of mail that comes in. Stored and shown only: this version does not act on it."""

    model_config = ConfigDict(json_schema_extra=TEMPLATED)


class SpamSettings(KubeModel, api.SpamSettings):
    """Scores of the spam rules. Stored and shown only: this version does not act on it."""

    model_config = ConfigDict(json_schema_extra=TEMPLATED)


class GreylistSettings(KubeModel, api.GreylistSettings):
    """Deferring the first try of an unknown sender. Stored and shown only: this version does not act on it."""

    model_config = ConfigDict(json_schema_extra=TEMPLATED)


class AntivirusSettings(KubeModel, api.AntivirusSettings):
    """Scanning by ClamAV. Stored and shown only: this version does not act on it."""

    model_config = ConfigDict(json_schema_extra=TEMPLATED)


class AuthSettings(KubeModel, api.AuthSettings):
    """Log-ins of the domain's accounts."""

    model_config = ConfigDict(json_schema_extra=TEMPLATED)


class SecuritySettings(KubeModel):
    """What is checked, signed and demanded."""

    dkim: DkimSettings = DkimSettings()
    spf: SpfSettings = SpfSettings()
    dmarc: DmarcSettings = DmarcSettings()
    spam: SpamSettings = SpamSettings()
    greylist: GreylistSettings = GreylistSettings()
    antivirus: AntivirusSettings = AntivirusSettings()
    auth: AuthSettings = AuthSettings()


class IssuerRef(KubeModel):
    """An issuer of cert-manager, or of another controller that takes its Certificates."""

    name: ObjectName
    """Of the issuer."""
    kind: Annotated[str, Field(min_length=1, max_length=63)] = "Issuer"
    """Issuer (of the same namespace) or ClusterIssuer."""
    group: Annotated[str, Field(min_length=1, max_length=253)] = "cert-manager.io"
    """API group of the issuer."""


class TlsSettings(KubeModel):
    """Where the domain's certificate comes from. None of the three: the server's own certificate serves it."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "[has(self.issuerRef), has(self.secretRef), has(self.selfSigned) && self.selfSigned]"
                ".filter(given, given).size() <= 1",
                "expected at most one of issuerRef, secretRef and selfSigned",
            )
        )
    )

    issuer_ref: IssuerRef | None = None
    """A cert-manager.io/v1 Certificate is made for the domain's mail host."""
    secret_ref: ObjectReference | None = None
    """A Secret of type kubernetes.io/tls."""
    self_signed: bool = False
    """The operator makes a certificate that nobody else vouches for: for tries."""
    dns_names: Annotated[tuple[Annotated[str, Field(max_length=253)], ...], Field(max_length=50)] = ()
    """More names for the certificate, beside the mail host's."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum((self.issuer_ref is not None, self.secret_ref is not None, self.self_signed)) > 1:
            raise ValueError("expected at most one of issuerRef, secretRef and selfSigned")
        return self


class AllowedNamespaces(KubeModel):
    """In which namespaces MailUsers of the domain may be."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "has(self.selector) == (has(self.from) && self.from == 'Selector')",
                "selector belongs to from: Selector",
                ".selector",
            ),
            (
                "(has(self.names) && size(self.names) > 0) == (has(self.from) && self.from == 'Names')",
                "names belong to from: Names",
                ".names",
            ),
        )
    )

    from_: Annotated[Literal["Same", "All", "Selector", "Names"], Field(alias="from")] = "Same"
    """Same: only in that of the MailDomain, which is always allowed. All: in every one. Selector: in those with the
    labels of `selector`. Names: in those of `names`."""
    selector: LabelSelector | None = None
    """By the labels of Namespaces."""
    names: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=63)], ...], Field(max_length=200)] = ()
    """Of Namespaces."""

    @model_validator(mode="after")
    def _belongs(self) -> Self:
        if (self.selector is not None) != (self.from_ == "Selector"):
            raise ValueError("selector belongs to from: Selector")
        if bool(self.names) != (self.from_ == "Names"):
            raise ValueError("names belong to from: Names")
        return self

    def allows(self, home: str, namespace: str, labels: Mapping[str, str]) -> bool:
        """Whether users may be in `namespace`, which has `labels`, when the domain is in `home`."""
        if namespace == home or self.from_ == "All":
            return True
        if self.from_ == "Names":
            return namespace in self.names
        return self.selector is not None and self.selector.matches(dict(labels))


class MailDomainSpec(KubeModel):
    """Desired state of a domain. What is left out has the value of the server's domain template."""

    domain: DomainName | None = None
    """Its name, if that is not the name of the resource. It does not change: another name is another domain."""
    hostname: DomainName | None = None
    """The host that takes its mail: the target of its MX record. Not set: the server's own name."""
    suspended: bool | None = None
    """A suspended domain receives nothing, and nobody of it logs in."""
    catch_all: api.Text | None = None
    """Address that gets what is sent to unknown addresses of the domain."""
    aliases: Annotated[tuple[DomainName, ...], Field(max_length=100)] = ()
    """Other names of the domain: mail for x@alias is mail for x@domain."""
    max_users: Annotated[int, Field(gt=0, le=10_000_000)] | None = None
    """How many accounts it may have."""
    default_quota: Quota = None
    """Quota of accounts that have none of their own, in octets or as a quantity (2Gi). none: no quota."""
    security: SecuritySettings = SecuritySettings()
    limits: DomainLimits = DomainLimits()
    tls: TlsSettings = TlsSettings()
    allowed_namespaces: AllowedNamespaces = AllowedNamespaces()
    reclaim_policy: ReclaimPolicy = "Retain"
    """When the resource is deleted: Retain leaves the domain and its mail on the server, where a resource of the same
    name finds them again; Delete deletes it when no account is left in it: those go with their own MailUsers."""

    def to_domain_spec(self, labels: Mapping[str, str] | None = None) -> api.DomainSpec:
        """The API's body: only what was set here is set in it. `labels` are the resource's."""
        body = self.set_fields(*_NOT_OF_THE_SERVER)
        if self.suspended is not None:
            body["status"] = "suspended" if self.suspended else "active"
        if "default_quota" in self.model_fields_set:
            body["default_quota_bytes"] = self.default_quota
        for name in ("selector_prefix", "rotation_days"):
            body.get("security", {}).get("dkim", {}).pop(name, None)
        if labels:
            body["labels"] = dict(labels)
        return api.DomainSpec.model_validate(body)


class DkimStatus(StatusModel):
    """The key that signs."""

    selector: str
    """Its name below _domainkey."""
    public_key: str
    """Base64, as in the p= tag of its record."""


class CertificateStatus(StatusModel):
    """The certificate that the server serves for the domain."""

    secret_name: str | None = None
    """The Secret that it is from."""
    fingerprint: str
    """SHA-256, hexadecimal."""
    names: tuple[str, ...] = ()
    """DNS names that it is valid for."""
    not_after: datetime
    """When it ends."""


class DnsRecordStatus(StatusModel):
    """A record to publish, and what DNS says now."""

    name: str
    """Absolute, without the trailing dot."""
    type: str
    """MX, TXT or SRV."""
    ttl: int
    """In seconds."""
    value: str
    """As a person reads it: 10 mx.example.org, or a text in one piece."""
    purpose: str
    """What it is for: mx, spf, dkim, dmarc, submission, imap."""
    required: bool
    """Mail suffers without it."""
    state: Literal["ok", "missing", "differs", "error", "unknown"]
    """What DNS says. error: the DNS did not answer. unknown: it was not asked yet."""
    found: tuple[str, ...] = ()
    """What is published in its place."""


class MailDomainStatus(ResourceStatus):
    """Observed state of a domain."""

    domain: str | None = None
    """Its name."""
    aliases: tuple[str, ...] = ()
    """Other names that it has been granted: no resource made later takes them away."""
    users: int | None = None
    """Accounts it has."""
    used_bytes: int | None = None
    """Octets of mail in them."""
    dkim: DkimStatus | None = None
    """The key that signs."""
    certificate: CertificateStatus | None = None
    dns_records: tuple[DnsRecordStatus, ...] = ()
    """Every record to publish, ready to copy."""


_NAME = "(has({0}.spec) && has({0}.spec.domain) ? {0}.spec.domain : {0}.metadata.name)"


class MailDomain(Resource):
    """A domain that the server takes mail for."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                f"{_NAME.format('self')} == {_NAME.format('oldSelf')}",
                "domain does not change: another name is another domain",
                ".spec.domain",
            ),
            (
                "has(self.spec) && has(self.spec.domain) || !self.metadata.name.matches('[^.]{64}')",
                "the resource's name is no domain, so domain has to say it",
                ".spec.domain",
            ),
        )
    )
    KIND: ClassVar[str] = "MailDomain"

    kind: Literal["MailDomain"] = "MailDomain"
    spec: MailDomainSpec = MailDomainSpec()
    status: LenientStatus[MailDomainStatus] = MailDomainStatus()

    @property
    def domain(self) -> str:
        """The domain's name."""
        return self.spec.domain or self.metadata.name.lower()
