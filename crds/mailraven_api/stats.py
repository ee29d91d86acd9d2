"""Figures of the server, or of the domains that somebody administers."""

from datetime import datetime

from mailraven_api.model import Model


class Traffic(Model):
    """Mail of some time, counted once for each recipient."""

    received: int
    """Delivered to a mailbox."""
    sent: int
    """Taken by another server."""
    refused: int
    """Refused by this server in the SMTP session."""
    deferred: int
    """Attempts that have to be made again."""
    failed: int
    """Refused for ever by another server, or tried for too long."""
    auth_failures: int
    """Log-ins to SMTP and IMAP that failed."""


class QueueStats(Model):
    """Recipients that wait to be sent to, by state."""

    queued: int
    attempting: int
    deferred: int
    held: int
    oldest_due_seconds: float
    """How late the oldest due one is; 0: none is late."""


class Stats(Model):
    """How much there is, and what happened lately. May be some seconds old."""

    at: datetime
    domains: int
    accounts: int
    messages: int
    """In all mailboxes."""
    bytes: int
    """Octets of these messages."""
    queue: QueueStats
    last_hour: Traffic
    last_day: Traffic
    active_bans: int | None
    """For super-admins."""


class StatsHour(Traffic):
    """The traffic of one hour."""

    hour: datetime
    """Its begin."""


class StatsSeries(Model):
    """The last hours, the oldest first; the last one has not ended."""

    hours: tuple[StatsHour, ...]
