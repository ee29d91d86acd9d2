"""Settings of the connection to Postgres."""

from pathlib import Path

from pydantic import Field, SecretStr

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
