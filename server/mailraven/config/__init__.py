"""Bootstrap settings: one frozen model read from a YAML file and MAILRAVEN_* variables.

Everything else (domains, accounts, limits) lives in Postgres and changes without a restart.
"""

from mailraven.config.auth import AuthConfig
from mailraven.config.backup import BackupConfig, BackupS3Config
from mailraven.config.blobs import BlobsConfig, S3Config
from mailraven.config.config import Config
from mailraven.config.database import DatabaseConfig
from mailraven.config.delivery import DeliveryConfig
from mailraven.config.errors import ConfigError
from mailraven.config.health import HealthConfig
from mailraven.config.imap import ImapConfig
from mailraven.config.listeners import ListenerConfig, ListenersConfig
from mailraven.config.loading import load
from mailraven.config.log import LogConfig
from mailraven.config.secrets import SecretsConfig
from mailraven.config.smtp import SmtpConfig
from mailraven.config.tls import TlsConfig
from mailraven.config.variables import variable_of

__all__ = [
    "AuthConfig",
    "BackupConfig",
    "BackupS3Config",
    "BlobsConfig",
    "Config",
    "ConfigError",
    "DatabaseConfig",
    "DeliveryConfig",
    "HealthConfig",
    "ImapConfig",
    "ListenerConfig",
    "ListenersConfig",
    "LogConfig",
    "S3Config",
    "SecretsConfig",
    "SmtpConfig",
    "TlsConfig",
    "load",
    "variable_of",
]
