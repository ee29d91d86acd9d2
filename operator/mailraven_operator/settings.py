"""Settings of the operator: MAILRAVEN_OPERATOR_* variables. It talks to the server over the admin API only."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AnyHttpUrl, BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

# RFC 1123 label, as Kubernetes asks of a namespace.
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def _namespaces(value: object) -> object:
    names = [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value
    for name in names if isinstance(names, (list, tuple)) else ():
        if not _NAMESPACE.fullmatch(str(name)):
            raise ValueError(f"expected names of namespaces with commas between, {name!r} is none")
    return names


class Settings(BaseSettings):
    """Where the server is, and what to watch."""

    model_config = SettingsConfigDict(
        env_prefix="MAILRAVEN_OPERATOR_", frozen=True, use_attribute_docstrings=True, env_ignore_empty=True
    )

    server_url: AnyHttpUrl = AnyHttpUrl("http://mailraven-admin:8080")
    """The admin API."""
    token_file: Path = Path("/run/secrets/mailraven/admin-token")
    """A file with the bearer token of the admin API."""
    namespaces: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_namespaces)] = ()
    """Namespaces to watch, with commas between; empty: all."""
    resync_seconds: float = Field(default=300.0, ge=5)
    """How often every resource is compared with the server, whatever was heard."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important level that is written."""
