"""Settings of the connection to Postgres."""

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from mailraven.config.section import Section
from mailraven.config.units import Seconds


class DatabaseConfig(Section):
    """Postgres 15 or newer. `mailraven up` starts its own when no URL is given."""

    url: SecretStr | None = None
    """Where Postgres is: postgresql://user:password@host:5432/name."""
    url_file: Path | None = None
    """A file that holds the URL, instead of database.url (a Kubernetes or Docker secret)."""
    pool_size: int = Field(default=3, ge=1, le=100)
    """Connections of each process, besides one that listens. More split the batches of the group commit."""
    connect_timeout: Seconds = 10.0
    """How long to wait for a connection."""
    command_timeout: Seconds = 60.0
    """How long a statement may take."""

    @field_validator("url")
    @classmethod
    def _is_a_url(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            try:
                parts = urlsplit(url.get_secret_value())
                usable = parts.scheme in ("postgresql", "postgres") and (parts.port is None or parts.port > 0)
            except ValueError:  # the port is no number
                usable = False
            if not usable:
                raise ValueError("must be like postgresql://user:password@host:5432/name")
        return url
