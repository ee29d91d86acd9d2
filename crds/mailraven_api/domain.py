"""A mail domain: its desired state (MailDomain), and the forms in which older clients write it."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PlainSerializer, model_validator

from mailraven_api.limits import DomainLimits, Limit, merge
from mailraven_api.model import Model

Name = Annotated[str, Field(min_length=1, max_length=255)]
Text = Annotated[str, Field(max_length=320)]
_LabelKey = Annotated[str, Field(max_length=253, pattern=r"^[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?$")]
_LabelValue = Annotated[str, Field(max_length=63, pattern=r"^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?$")]
Labels = Annotated[dict[_LabelKey, _LabelValue], Field(max_length=64)]
"""Labels as Kubernetes has them: what the selectors of rate limit policies look at."""


class DkimSettings(Model):
    """Keys and signatures (RFC 6376, RFC 8463)."""

    signing_enabled: bool = True
    """Sign the domain's outgoing mail."""
    key_size: Literal[2048, 3072, 4096] = 2048
    """Bits of RSA keys made from now on."""
    ed25519: bool = False
    """Keep an Ed25519 key beside the RSA key."""


class SpfSettings(Model):
    """SPF (RFC 7208) of mail that comes in. Stored and shown only: this version does not act on it."""

    enabled: bool = True
    """Whether it is looked at."""
    enforcement: Literal["none", "soft", "strict"] = "soft"
    """What a failure means."""


class DmarcSettings(Model):
    """DMARC (RFC 7489) of mail that comes in. Stored and shown only: this version does not act on it."""

    enforcement: Literal["none", "relaxed", "strict"] = "relaxed"
    """What a failure means."""
    reporting: bool = False
    """Whether reports are sent."""


class SpamSettings(Model):
    """Scores of the spam rules. Stored and shown only: this version does not act on it."""

    enabled: bool = True
    """Whether mail is scored."""
    reject_score: float = Field(default=15.0, ge=0, le=1000, allow_inf_nan=False)
    """Mail of this score is refused."""
    quarantine_score: float = Field(default=6.0, ge=0, le=1000, allow_inf_nan=False)
    """Mail of this score goes to Junk."""


class GreylistSettings(Model):
    """Deferring the first try of an unknown sender. Stored and shown only: this version does not act on it."""

    enabled: bool = False
    """Whether it is done."""


class AntivirusSettings(Model):
    """Scanning by ClamAV. Stored and shown only: this version does not act on it."""

    enabled: bool = False
    """Whether it is done."""


class AuthSettings(Model):
    """Log-ins of the domain's accounts."""

    totp_enforced: bool = False
    """The password alone opens nothing: the web needs a second factor, mail clients an app password."""


class SecuritySettings(Model):
    """PUT /api/v1/domains/{name}/security."""

    dkim: DkimSettings = DkimSettings()
    spf: SpfSettings = SpfSettings()
    dmarc: DmarcSettings = DmarcSettings()
    spam: SpamSettings = SpamSettings()
    greylist: GreylistSettings = GreylistSettings()
    antivirus: AntivirusSettings = AntivirusSettings()
    auth: AuthSettings = AuthSettings()


# Flat names of older clients -> place in the document below.
_FLAT = {
    "default_quota": ("default_quota_bytes",),
    "dkim_signing_enabled": ("security", "dkim", "signing_enabled"),
    "dkim_key_size": ("security", "dkim", "key_size"),
    "spf_enabled": ("security", "spf", "enabled"),
    "dmarc_enforcement": ("security", "dmarc", "enforcement"),
    "spam_reject_score": ("security", "spam", "reject_score"),
    "greylist_enabled": ("security", "greylist", "enabled"),
    "auth_totp_enforced": ("security", "auth", "totp_enforced"),
    "ratelimit_smtp_per_ip": ("limits", "smtp_connections_per_ip"),
    "ratelimit_auth_per_ip": ("limits", "auth_failures_per_ip"),
    "ratelimit_smtp_per_user": ("limits", "messages_per_account"),
    "ratelimit_smtp_per_domain": ("limits", "messages_per_domain"),
}


class DomainSpec(Model):
    """The desired state of a domain. Fields that are left out have the value of the template."""

    status: Literal["active", "suspended"] = "active"
    """A suspended domain receives nothing, and nobody of it logs in."""
    hostname: Name | None = None
    """The host that takes its mail, as its DNS records say it. Not set: the server's own name."""
    max_users: int | None = Field(default=None, gt=0, le=10_000_000)
    """How many accounts it may have. Not set: any number."""
    default_quota_bytes: int | None = Field(default=None, gt=0, lt=2**63)
    """Quota of accounts made without one, in octets. Not set: no quota."""
    catch_all: Text | None = None
    """Address that gets what is sent to unknown addresses of the domain."""
    aliases: Annotated[tuple[Name, ...], Field(max_length=100)] = ()
    """Other names of the domain: mail for x@alias is mail for x@domain."""
    security: SecuritySettings = SecuritySettings()
    limits: DomainLimits = DomainLimits()
    labels: Labels = {}

    @model_validator(mode="before")
    @classmethod
    def _accept_flat(cls, value: object) -> object:
        """Also the flat names: `{"dkim_signing_enabled": true}`."""
        return unflatten(value)


def unflatten(value: object) -> object:
    """The document with the flat names of older clients moved to their places."""
    if not isinstance(value, dict) or not any(name in _FLAT for name in value):
        return value
    document: dict[str, Any] = {}
    for name, item in value.items():
        place = _FLAT.get(name, (name,))
        for part in reversed(place):
            item = {part: item}
        document = merge(document, item)
    return document


class DomainCreate(Model):
    """POST /api/v1/domains."""

    name: Name
    use_default_template: bool = True
    """Begin with the template `_default`; else with what the program has by itself."""
    domain: DomainSpec = DomainSpec()
    """What differs from that."""


# Only what was set: given back as it is, a document changes nothing.
_Sparse = Annotated[DomainSpec, PlainSerializer(lambda spec: spec.model_dump(mode="json", exclude_unset=True))]


class Domain(Model):
    """A domain with everything that holds for it."""

    name: Name
    spec: _Sparse
    """What was set for this domain; the fields beside it are what holds, template included."""
    status: Literal["active", "suspended"]
    hostname: Name | None
    max_users: int | None
    default_quota_bytes: int | None
    catch_all: Text | None
    aliases: tuple[Name, ...]
    security: SecuritySettings
    limits: DomainLimits
    labels: Labels
    users: int
    """Accounts it has."""
    used_bytes: int
    """Octets of mail in them."""
    dkim_selector: str | None
    """Of the key that signs."""
    dkim_public_key: str | None
    """Its public key in base64, as in the p= tag of the DNS record (RFC 6376 §3.6.1)."""
    version: int
    """Rises with each change; the ETag."""
    created_at: datetime
    updated_at: datetime


OneOrMore = Limit | tuple[Limit, ...]


class FlatDomain(Domain):
    """A domain, also with the flat names of older clients; a single limit stands by itself."""

    default_quota: int | None
    dkim_signing_enabled: bool
    dkim_key_size: int
    spf_enabled: bool
    dmarc_enforcement: str
    spam_reject_score: float
    greylist_enabled: bool
    auth_totp_enforced: bool
    ratelimit_smtp_per_ip: OneOrMore
    ratelimit_auth_per_ip: OneOrMore
    ratelimit_smtp_per_user: OneOrMore
    ratelimit_smtp_per_domain: OneOrMore

    @classmethod
    def of(cls, domain: Domain) -> Self:
        """With what holds for the domain under each name."""
        document = domain.model_dump(mode="json")
        flat: dict[str, Any] = {}
        for name, place in _FLAT.items():
            value: Any = document
            for part in place:
                value = value[part]
            flat[name] = value[0] if isinstance(value, list) and len(value) == 1 else value
        return cls.model_validate(document | flat)
