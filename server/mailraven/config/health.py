"""Settings of the health checks."""

from pydantic import Field

from mailraven.config.section import Section
from mailraven.config.units import Seconds, Size


class HealthConfig(Section):
    """/livez, /readyz and /health."""

    interval: Seconds = 5.0
    """How often the components are checked."""
    timeout: Seconds = 5.0
    """How long one check may take."""
    failures: int = Field(default=3, ge=1, le=100)
    """Failed checks in a row before /readyz says no, so that a short failover evicts nobody."""
    probe_interval: Seconds = 30.0
    """How long the answer of a dearer check counts: the blob store, the queue, and, when /health is asked,
    a connection to the own SMTP and IMAP listeners."""
    stall_timeout: Seconds = Field(default=20.0, ge=5)
    """How long the event loop of a worker may stand still before the supervisor replaces the worker. Until then its
    share of the new connections waits in vain; it beats every 2 seconds, and no work of the loop takes one."""
    disk_low: Size = 1024 * 1024 * 1024
    """Free disk space under which the disk is degraded."""
    disk_full: Size = 128 * 1024 * 1024
    """Free disk space under which the disk is unhealthy."""
    queue_late: Seconds = 900.0
    """How late the oldest due recipient may be before the queue is degraded."""
