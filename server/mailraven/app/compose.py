"""Builds the parts of a process from the settings: the one place that knows all of them."""

from dataclasses import dataclass

from mailraven.audit import AuditLog
from mailraven.blobs import BlobStore
from mailraven.blobs.opening import open_blob_store
from mailraven.config import Config
from mailraven.db import Database
from mailraven.directory import Directory, Passwords
from mailraven.directory.token_uses import TokenUses
from mailraven.limits import Gate
from mailraven.mailstore import Mailstore
from mailraven.sealing import Sealer
from mailraven.settings import Settings
from mailraven.trace import Recorder


@dataclass(frozen=True, slots=True)
class Nouns:
    """What all roles stand on."""

    database: Database
    blobs: BlobStore
    directory: Directory
    mailstore: Mailstore
    trace: Recorder
    sealer: Sealer
    settings: Settings
    gate: Gate
    audit: AuditLog
    token_uses: TokenUses

    async def close(self) -> None:
        """In the reverse order of making."""
        await self.token_uses.close()
        await self.audit.close()
        await self.gate.close()
        await self.settings.close()
        await self.trace.close()
        await self.mailstore.close()
        await self.directory.close()
        await self.blobs.close()
        await self.database.close()


async def build_nouns(config: Config, dsn: str) -> Nouns:
    """Raises DatabaseUnavailable or BlobUnavailable (try again), BlobUnusable, ConfigError."""
    # What is wrong on this machine comes before what another one may mend.
    sealer = Sealer.of(config.secrets)
    blobs = await open_blob_store(config.blobs)
    try:
        database = await Database.connect(
            dsn,
            size=config.database.pool_size,
            application_name="mailraven",
            timeout=config.database.connect_timeout,
            command_timeout=config.database.command_timeout,
        )
    except BaseException:
        await blobs.close()
        raise
    settings = Settings(database)
    passwords = Passwords(
        threads=config.auth.hash_threads, waiting=config.auth.hash_queue, policy=lambda: settings.passwords
    )
    gate = Gate(database, settings, trusted_networks=[str(one) for one in config.proxy.trusted_networks])
    directory = Directory(database, passwords=passwords)
    mailstore = Mailstore(database, blobs, inline_max=config.blobs.inline_max, poll_seconds=config.imap.poll_interval)
    return Nouns(
        database,
        blobs,
        directory,
        mailstore,
        trace=Recorder(database),
        sealer=sealer,
        settings=settings,
        gate=gate,
        audit=AuditLog(database),
        token_uses=TokenUses(database),
    )
