"""Settings of the operator: MAILRAVEN_OPERATOR_* variables. It talks to the server over the admin API only."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, AnyHttpUrl, BeforeValidator, Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
# RFC 1123 label, as Kubernetes asks of a namespace.
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_PREFIX = "MAILRAVEN_OPERATOR_"


def _namespaces(value: object) -> object:
    names = [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value
    for name in names if isinstance(names, (list, tuple)) else ():
        if not _NAMESPACE.fullmatch(str(name)):
            raise ValueError(f"expected names of namespaces with commas between, {name!r} is none")
    return names


def _own_namespace() -> str:
    """That of the pod's service account; outside of a cluster: default."""
    try:
        return (SERVICE_ACCOUNT / "namespace").read_text(encoding="utf-8").strip() or "default"
    except OSError:
        return "default"


class Settings(BaseSettings):
    """Where the server is, what to watch, and how fast."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, frozen=True, use_attribute_docstrings=True, env_ignore_empty=True, populate_by_name=True
    )

    server_url: AnyHttpUrl = AnyHttpUrl("http://mailraven-admin:8080")
    """The admin API."""
    token_file: Path = Path("/run/secrets/mailraven/admin-token")
    """A file with the bearer token of the admin API. It is read again when the server refuses the token."""
    namespace: Annotated[
        str,
        Field(
            pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
            validation_alias=AliasChoices(f"{_PREFIX}NAMESPACE", "POD_NAMESPACE"),
        ),
    ] = Field(default_factory=_own_namespace)
    """The home namespace: where the operator runs, its Lease is and backup Jobs run. Also POD_NAMESPACE."""
    identity: Annotated[str, Field(max_length=253, validation_alias=AliasChoices(f"{_PREFIX}IDENTITY", "POD_NAME"))] = (
        ""
    )
    """The name of this replica in the Lease; empty: the host's name. Also POD_NAME."""
    namespaces: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_namespaces)] = ()
    """Namespaces to watch, with commas between; empty: all. The home namespace is always among them."""
    resync_seconds: float = Field(default=300.0, ge=5)
    """How often every resource is compared with the server, whatever was heard."""
    concurrency: int = Field(default=8, ge=1, le=64)
    """Resources that are looked at at the same time."""
    reconcile_timeout: float = Field(default=120.0, gt=0)
    """Seconds that one look may take."""
    finalizer_timeout: float = Field(default=300.0, ge=0)
    """Seconds that a deleted resource waits for a server that does not answer."""
    backoff_longest: float = Field(default=300.0, ge=1)
    """The longest pause in seconds before a resource with a problem is tried again; the first is a second."""
    lease_seconds: float = Field(default=15.0, ge=3)
    """How long a leader that is gone is waited for. A leader that cannot renew its Lease for two thirds of it exits."""
    port: int = Field(default=8081, ge=0, le=65535)
    """/livez, /readyz and /metrics; 0: any free one."""
    host: str = "0.0.0.0"  # noqa: S104 - kubelet and Prometheus come from elsewhere
    """The address of that listener."""
    mail_host: str = Field(default="", max_length=253)
    """The host name for mail programs, written into the Secrets of users whose domain names none."""
    imap_port: int = Field(default=993, ge=1, le=65535)
    """The port of IMAP over TLS, as people reach it."""
    smtp_port: int = Field(default=587, ge=1, le=65535)
    """The port of submission with STARTTLS, as people reach it."""
    job_template: Path | None = None
    """A file (YAML) with the pod template of backup Jobs: image, environment, volumes. None: there are no backups."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important level that is written."""
    log_format: Literal["json", "console"] = "json"
    """One JSON object a line, or for reading."""

    @field_validator("server_url")
    @classmethod
    def _without_credentials(cls, url: AnyHttpUrl) -> AnyHttpUrl:
        if url.username or url.password:
            raise ValueError("a token belongs into token_file, not into the URL")
        return url

    @property
    def watched(self) -> tuple[str, ...]:
        """The namespaces to watch, with the home namespace; empty: all."""
        return tuple(sorted({*self.namespaces, self.namespace})) if self.namespaces else ()

    def watches(self, namespace: str) -> bool:
        """Whether resources of that namespace are ours to look at."""
        return not self.namespaces or namespace in self.watched
