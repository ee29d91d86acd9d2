"""The listeners behind load balancers: whom each of them trusts to say who its clients are, and how long it waits."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Literal

import structlog

from mailraven.config import Config
from mailraven.config.listeners import ClientListener
from mailraven.net.addresses import Networks
from mailraven.telemetry import metrics

_log = structlog.get_logger(component="net")

Client = tuple[str, int]
"""The address that a balancer vouched for, and a port."""
Make = Callable[[Client | None], asyncio.Protocol]
"""The protocol that serves; None: the peer of the transport is the client."""
Reason = Literal["untrusted", "missing", "malformed", "late"]


class ProxiedListener:
    """What holds for all connections of a listener whose `proxy_protocol` is not off."""

    def __init__(
        self,
        name: str,
        trusted: Networks,
        *,
        required: bool,
        header_timeout: float = 5.0,
        accept_wait: float = 1.0,
    ) -> None:
        self.name = name
        self.trusted = trusted
        self.required = required
        self.header_timeout = header_timeout
        self.accept_wait = accept_wait
        self.handshakes: set[asyncio.Task[None]] = set()

    def refused(self, ip: str, reason: Reason, detail: str = "") -> None:
        """Tells the log and the metric."""
        metrics.PROXY_REFUSED.labels(self.name, reason).inc()
        _log.warning("proxy_refused", listener=self.name, ip=ip, reason=reason, detail=detail)


def proxied_listeners(config: Config) -> dict[str, ProxiedListener]:
    """Those of the settings, by name."""
    found: dict[str, ProxiedListener] = {}
    trusted = Networks(config.proxy.trusted_networks)
    for name, listener in config.listeners:
        if isinstance(listener, ClientListener) and listener.proxy_protocol != "off":
            found[name] = ProxiedListener(
                name,
                trusted,
                required=listener.proxy_protocol == "require",
                header_timeout=config.proxy.header_timeout,
                accept_wait=config.proxy.accept_wait,
            )
    return found


NO_PROXIES: Mapping[str, ProxiedListener] = {}
