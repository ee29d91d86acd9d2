"""The errors that are the environment's or the user's, not ours: their text is the message."""

from mailraven.app.errors import StartError
from mailraven.backup.errors import BackupError
from mailraven.blobs import BlobError
from mailraven.config import ConfigError
from mailraven.db import DatabaseUnavailable, EmbeddedPostgresError, MigrationError
from mailraven.directory import DirectoryError
from mailraven.mailstore.errors import MailstoreError
from mailraven.sealing import SealingError
from mailraven.tls import TlsError

EXPECTED = (
    BackupError,
    BlobError,
    ConfigError,
    DatabaseUnavailable,
    DirectoryError,
    EmbeddedPostgresError,
    MailstoreError,
    MigrationError,
    SealingError,
    StartError,
    TlsError,
)
