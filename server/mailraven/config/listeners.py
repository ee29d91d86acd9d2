"""Settings of the listening sockets."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from mailraven.config.section import Section
from mailraven.config.units import Port


def _said_no(value: object) -> object:
    return "off" if value is False else value  # what YAML makes of `off`


ProxyProtocol = Literal["off", "accept", "require"]


class ListenerConfig(Section):
    """A TCP socket."""

    host: str = Field(default="0.0.0.0", min_length=1)  # noqa: S104 - a server that runs in a pod
    """The address to bind; `::` binds IPv6, and IPv4 where the system maps it."""
    port: Port
    """The port; 0 lets the system choose one."""


class ClientListener(ListenerConfig):
    """A TCP socket that a load balancer may stand before."""

    proxy_protocol: Annotated[ProxyProtocol, BeforeValidator(_said_no)] = "off"
    """Whether peers in proxy.trusted_networks say by the PROXY protocol (version 1 or 2) who the client is. `accept`:
    they may; who is not trusted is served as itself, but refused if it sends the header. `require`: they must, and
    nobody else is served."""


class MxListener(ClientListener):
    """Mail from the internet (role mx; STARTTLS)."""

    port: Port = 2525
    """The port; 0 lets the system choose one."""


class SubmissionListener(ClientListener):
    """Mail from the users' clients (role submission; STARTTLS)."""

    port: Port = 5587
    """The port; 0 lets the system choose one."""


class SubmissionsListener(ClientListener):
    """Mail from the users' clients (role submission; implicit TLS)."""

    port: Port = 5465
    """The port; 0 lets the system choose one."""


class ImapListener(ClientListener):
    """Mailboxes (role imap; STARTTLS)."""

    port: Port = 1143
    """The port; 0 lets the system choose one."""


class ImapsListener(ClientListener):
    """Mailboxes (role imap; implicit TLS)."""

    port: Port = 9993
    """The port; 0 lets the system choose one."""


class HttpListener(ClientListener):
    """HTTP API (role admin)."""

    port: Port = 8080
    """The port; 0 lets the system choose one."""


class OpsListener(ListenerConfig):
    """/livez, /readyz, /health and /metrics (every role)."""

    port: Port = 9090
    """The port; 0 lets the system choose one."""


class ListenersConfig(Section):
    """Where each role listens. Only the listeners of the roles that run are opened."""

    mx: MxListener = MxListener()
    submission: SubmissionListener = SubmissionListener()
    submissions: SubmissionsListener = SubmissionsListener()
    imap: ImapListener = ImapListener()
    imaps: ImapsListener = ImapsListener()
    http: HttpListener = HttpListener()
    ops: OpsListener = OpsListener()
