"""The servers of each role. Their modules are imported here and only for the roles that run: memory."""

import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mailraven.adminapi.ops import OpsApp
from mailraven.app.compose import Nouns
from mailraven.app.roles import Role, Tls
from mailraven.config import Config

Listening = tuple[str, socket.socket, Tls]


class Server(Protocol):
    """The shape of every daemon."""

    async def start(self, sockets: Sequence[Listening]) -> None:
        """Returns when it accepts on all of them."""

    async def drain(self, seconds: float) -> None:
        """No new connections; what is in progress may finish."""


@dataclass(frozen=True, slots=True)
class RunningRole:
    """A server and the listeners it takes."""

    role: Role
    server: Server


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


def make_server(role: Role, config: Config, nouns: Nouns, tls: ssl.SSLContext | None, ops: OpsApp) -> Server:
    """Not started yet."""
    match role:
        case Role.MX | Role.SUBMISSION:
            return _smtp(role, config, nouns, tls)
        case Role.IMAP:
            return _imap(config, nouns, tls)
        case Role.DELIVERY:
            return _delivery(config, nouns)
        case Role.ADMIN:
            return _admin(nouns, ops)


def _smtp(role: Role, config: Config, nouns: Nouns, tls: ssl.SSLContext | None) -> Server:
    from mailraven.smtpd import SmtpServer

    return SmtpServer(role, config, nouns, tls)


def _imap(config: Config, nouns: Nouns, tls: ssl.SSLContext | None) -> Server:
    from mailraven.imapd import ImapServer

    return ImapServer(nouns.mailstore, nouns.directory, config.imap, hostname=config.hostname, tls=tls)


def _delivery(config: Config, nouns: Nouns) -> Server:
    from mailraven.delivery import DeliveryServer

    return DeliveryServer(config, nouns)


def _admin(nouns: Nouns, ops: OpsApp) -> Server:
    from mailraven.adminapi.api import make_api
    from mailraven.adminapi.ops import with_ops
    from mailraven.adminapi.server import HttpServer

    return HttpServer(with_ops(make_api(nouns.directory), ops))
