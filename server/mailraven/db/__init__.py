"""Postgres: the pool, migrations, LISTEN/NOTIFY, leases, and the embedded server of `mailraven up`."""

from mailraven.db.embedded import EmbeddedPostgres, EmbeddedPostgresError
from mailraven.db.lease import acquire_lease, release_lease
from mailraven.db.listen import Listener
from mailraven.db.migrate import MigrationError, migrate, pending_migrations
from mailraven.db.notify import Notifier
from mailraven.db.pool import Connection, Database
from mailraven.db.reach import DatabaseUnavailable

__all__ = [
    "Connection",
    "Database",
    "DatabaseUnavailable",
    "EmbeddedPostgres",
    "EmbeddedPostgresError",
    "Listener",
    "MigrationError",
    "Notifier",
    "acquire_lease",
    "migrate",
    "pending_migrations",
    "release_lease",
]
