"""The servers of each role. Their modules are imported here and only for the roles that run: memory."""

import socket
import ssl
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from mailraven.adminapi.ops import OpsApp
from mailraven.app.compose import Nouns
from mailraven.app.roles import Role, Tls
from mailraven.config import Config
from mailraven.limits import Occupancy
from mailraven.net.addresses import Networks
from mailraven.net.proxied import proxied_listeners

if TYPE_CHECKING:
    from mailraven.adminapi.services import ApiServices

Listening = tuple[str, socket.socket, Tls]


class Server(Protocol):
    """The shape of every daemon."""

    async def start(self, sockets: Sequence[Listening]) -> None:
        """Returns when it accepts on all of them."""

    async def drain(self, seconds: float) -> None:
        """No new connections; what is in progress may finish."""


def import_role(role: Role) -> None:
    """Loads the code of a role, so that forked workers share it."""
    match role:
        case Role.MX | Role.SUBMISSION:
            import mailraven.smtpd
        case Role.IMAP:
            import mailraven.imapd
        case Role.DELIVERY:
            import mailraven.delivery
        case Role.ADMIN:
            import mailraven.adminapi.api  # noqa: F401


def make_servers(
    roles: Sequence[Role], config: Config, nouns: Nouns, tls: ssl.SSLContext | None, ops: OpsApp
) -> list[tuple[Role, Server]]:
    """One for each role, not started yet."""
    servers: list[tuple[Role, Server]] = []
    smtp = [role for role in roles if role in (Role.MX, Role.SUBMISSION)]
    if smtp:
        servers += _smtp(smtp, config, nouns, tls)
    if Role.IMAP in roles:
        servers.append((Role.IMAP, _imap(config, nouns, tls)))
    if Role.DELIVERY in roles:
        servers.append((Role.DELIVERY, _delivery(config, nouns)))
    if Role.ADMIN in roles:
        servers.append((Role.ADMIN, _admin(config, nouns, ops)))
    return servers


def _smtp(roles: Sequence[Role], config: Config, nouns: Nouns, tls: ssl.SSLContext | None) -> list[tuple[Role, Server]]:
    from mailraven.smtpd import Limits, SmtpServer
    from mailraven.smtpd.budget import MemoryBudget

    budget = MemoryBudget(Limits.of(config.smtp).memory_budget)  # of the process: its roles share it
    return [
        (
            role,
            SmtpServer(
                role,
                nouns.directory,
                nouns.mailstore.intake,
                config.smtp,
                hostname=config.hostname,
                tls=tls,
                budget=budget,
                proxied=proxied_listeners(config),
                trace=nouns.trace,
                gate=nouns.gate,
                settings=nouns.settings,
            ),
        )
        for role in roles
    ]


def _imap(config: Config, nouns: Nouns, tls: ssl.SSLContext | None) -> Server:
    from mailraven.imapd import ImapServer

    return ImapServer(
        nouns.mailstore,
        nouns.directory,
        config.imap,
        hostname=config.hostname,
        tls=tls,
        proxied=proxied_listeners(config),
        gate=nouns.gate,
        trace=nouns.trace,
    )


def _delivery(config: Config, nouns: Nouns) -> Server:
    from mailraven.delivery import DeliveryServer

    return DeliveryServer(config, nouns)


def _admin(config: Config, nouns: Nouns, ops: OpsApp) -> Server:
    from mailraven.adminapi.api import make_api
    from mailraven.adminapi.ops import with_ops
    from mailraven.adminapi.server import HttpServer

    app = with_ops(make_api(api_services(config, nouns)), ops)
    proxies = Networks(config.http.trusted_proxies)  # who speaks for many
    occupancy = Occupancy(
        lambda: nouns.settings.limits.max_connections_per_ip, lambda ip: ip in proxies or nouns.gate.exempt(ip)
    )
    return HttpServer(app, proxied=proxied_listeners(config).get("http"), occupancy=occupancy)


def api_services(config: Config, nouns: Nouns) -> "ApiServices":
    """What the routes of the admin API work with."""
    from mailraven.adminapi.services import ApiServices

    return ApiServices(
        config=config,
        database=nouns.database,
        directory=nouns.directory,
        mailstore=nouns.mailstore,
        settings=nouns.settings,
        audit=nouns.audit,
        gate=nouns.gate,
        sealer=nouns.sealer,
        trace=nouns.trace,
        token_uses=nouns.token_uses,
    )
