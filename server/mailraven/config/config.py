"""The whole of the bootstrap settings."""

import socket

from pydantic import Field

from mailraven.config.auth import AuthConfig
from mailraven.config.backup import BackupConfig
from mailraven.config.blobs import BlobsConfig
from mailraven.config.database import DatabaseConfig
from mailraven.config.delivery import DeliveryConfig
from mailraven.config.health import HealthConfig
from mailraven.config.http import HttpConfig
from mailraven.config.imap import ImapConfig
from mailraven.config.listeners import ListenersConfig
from mailraven.config.log import LogConfig
from mailraven.config.proxy import ProxyConfig
from mailraven.config.secrets import SecretsConfig
from mailraven.config.section import Section
from mailraven.config.smtp import SmtpConfig
from mailraven.config.tls import TlsConfig
from mailraven.config.units import Hostname, Seconds, parse_hostname


def _machine_name() -> str:
    try:
        return str(parse_hostname(socket.gethostname()))
    except ValueError:
        return "localhost"


class Config(Section):
    """Settings of a MailRaven process."""

    hostname: Hostname = Field(default_factory=_machine_name)
    """The name this server gives in greetings, HELO and trace fields; it should resolve to its address.
    Default: the machine's name."""
    workers: int | None = Field(default=None, ge=1, le=256)
    """Processes that share the listeners. Default: 1, or for `mailraven up` one for each core."""
    drain_timeout: Seconds = Field(default=30.0, le=3600)
    """How long transactions in progress may take to finish after SIGTERM."""
    database: DatabaseConfig = DatabaseConfig()
    blobs: BlobsConfig = BlobsConfig()
    listeners: ListenersConfig = ListenersConfig()
    proxy: ProxyConfig = ProxyConfig()
    tls: TlsConfig = TlsConfig()
    secrets: SecretsConfig = SecretsConfig()
    smtp: SmtpConfig = SmtpConfig()
    imap: ImapConfig = ImapConfig()
    http: HttpConfig = HttpConfig()
    delivery: DeliveryConfig = DeliveryConfig()
    auth: AuthConfig = AuthConfig()
    backup: BackupConfig = BackupConfig()
    health: HealthConfig = HealthConfig()
    log: LogConfig = LogConfig()
