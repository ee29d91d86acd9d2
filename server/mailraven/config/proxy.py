"""Settings of the load balancers that speak the PROXY protocol to the listeners."""

from mailraven.config.section import Section
from mailraven.config.units import CommaList, Network, Seconds


class ProxyConfig(Section):
    """Load balancers before the listeners (docs/proxy-protocol.md); each listener has its `proxy_protocol`."""

    trusted_networks: CommaList[Network] = ()
    """Addresses or networks of the balancers. Only they may say who the client is, and they are never banned or
    counted as clients."""
    header_timeout: Seconds = 5.0
    """How long a balancer may take to send the whole header."""
    accept_wait: Seconds = 1.0
    """With `accept`: how long the servers that speak first (SMTP, IMAP without implicit TLS) wait for the header
    of a trusted peer before they greet it without one."""
