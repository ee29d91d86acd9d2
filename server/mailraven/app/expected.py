"""The errors that are the environment's or the user's, not ours: their text is the message."""

from mailraven.app.errors import StartError
from mailraven.blobs import BlobError
from mailraven.config import ConfigError
from mailraven.db import DatabaseUnavailable, EmbeddedPostgresError, MigrationError
from mailraven.directory import DirectoryError
from mailraven.sealing import SealingError
from mailraven.tls import TlsError

EXPECTED = (
    BlobError,
    ConfigError,
    DatabaseUnavailable,
    DirectoryError,
    EmbeddedPostgresError,
    MigrationError,
    SealingError,
    StartError,
    TlsError,
)
