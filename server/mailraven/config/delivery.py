"""Settings of outbound delivery (RFC 5321 §4.5.4.1, §5)."""

from pydantic import Field

from mailraven.config.section import Section
from mailraven.config.units import CommaList, Endpoint, Port, Seconds, Size


class DeliveryConfig(Section):
    """The queue, for the role delivery."""

    resolver: CommaList[Endpoint] = ()
    """DNS servers as host:port; empty: those of /etc/resolv.conf."""
    dns_timeout: Seconds = 10.0
    """How long a DNS look-up may take."""
    smtp_port: Port = Field(default=25, ge=1)
    """The port of other servers."""
    allow_private_destinations: bool = False
    """Deliver to loopback, private and link-local addresses too; for tests and closed networks."""
    retry: CommaList[Seconds] = Field(default=(*(60.0 * 2**n for n in range(8)), 14400.0), min_length=1)
    """Waiting times between tries, jittered; the last one is repeated (RFC 5321 §4.5.4.1)."""
    max_age: Seconds = Field(default=5 * 86400.0, ge=60)
    """How long a message is tried before it is returned (RFC 5321 §4.5.4.1: at least 4 to 5 days)."""
    warn_after: Seconds = 4 * 3600.0
    """When the sender hears that his message is late."""
    concurrency: int = Field(default=50, ge=1, le=1000)
    """Deliveries a process makes at a time."""
    concurrency_per_domain: int = Field(default=10, ge=1, le=1000)
    """Deliveries a process makes at a time to one domain."""
    lease: Seconds = Field(default=120.0, ge=10)
    """How long a claimed recipient belongs to a process that does not renew its claim."""
    poll_interval: Seconds = 15.0
    """How often the queue is looked at, should a notification have been lost."""
    connect_timeout: Seconds = 30.0
    """How long a connection to another server may take."""
    command_timeout: Seconds = 300.0
    """How long another server may take to answer (RFC 5321 §4.5.3.2)."""
    data_timeout: Seconds = 600.0
    """How long another server may take to answer the end of the data (RFC 5321 §4.5.3.2.6)."""
    return_header_max: Size = Field(default=65536, ge=1024)
    """How much of a message's header a delivery status notification returns."""
