"""Settings of the listening sockets."""

from pydantic import Field

from mailraven.config.section import Section
from mailraven.config.units import Port


class ListenerConfig(Section):
    """A TCP socket."""

    host: str = Field(default="0.0.0.0", min_length=1)  # noqa: S104 - a server that runs in a pod
    """The address to bind; `::` binds IPv6, and IPv4 where the system maps it."""
    port: Port
    """The port; 0 lets the system choose one."""


class MxListener(ListenerConfig):
    """Mail from the internet (role mx; STARTTLS)."""

    port: Port = 2525
    """The port; 0 lets the system choose one."""


class SubmissionListener(ListenerConfig):
    """Mail from the users' clients (role submission; STARTTLS)."""

    port: Port = 5587
    """The port; 0 lets the system choose one."""


class SubmissionsListener(ListenerConfig):
    """Mail from the users' clients (role submission; implicit TLS)."""

    port: Port = 5465
    """The port; 0 lets the system choose one."""


class ImapListener(ListenerConfig):
    """Mailboxes (role imap; STARTTLS)."""

    port: Port = 1143
    """The port; 0 lets the system choose one."""


class ImapsListener(ListenerConfig):
    """Mailboxes (role imap; implicit TLS)."""

    port: Port = 9993
    """The port; 0 lets the system choose one."""


class HttpListener(ListenerConfig):
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
