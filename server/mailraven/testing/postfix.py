"""A real Postfix of the system's package on a loopback address, with directories of its own; needs root.

The system's own Postfix instance is neither used nor touched.
"""

from __future__ import annotations

import os
import pwd
import shutil
import smtplib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_SERVICES = """\
{listen} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


def missing() -> str | None:
    """Why Postfix cannot be used here, for `pytest.skip`; None: it can."""
    if os.geteuid() != 0:
        return "postfix: needs root"
    if shutil.which("postfix", path=f"/usr/sbin:{os.environ.get('PATH', '')}") is None:
        return "postfix: the package is not installed"
    return None


class Postfix:
    """A running instance; `mail_for(address)` gives what it delivered, as maildir files."""

    def __init__(self, directory: Path, address: str, port: int) -> None:
        self.directory = directory
        self.address = address
        self.port = port

    def mail_for(self, address: str) -> list[bytes]:
        """The messages in a mailbox, oldest first, with LF line ends as Postfix stores them."""
        localpart, _, domain = address.rpartition("@")
        folder = self.directory / "mail" / domain / localpart / "new"
        return [file.read_bytes() for file in sorted(folder.glob("*"))] if folder.is_dir() else []

    def send(self, sender: str, recipients: Sequence[str], message: bytes) -> None:
        """Hand a message to it by SMTP; it relays for loopback."""
        with smtplib.SMTP(self.address, self.port, local_hostname="client.test", timeout=30) as client:
            client.sendmail(sender, list(recipients), message)

    def log(self) -> str:
        """What it logged, for failures."""
        file = self.directory / "log" / "postfix"
        return file.read_text(errors="replace") if file.exists() else ""


@contextmanager
def running_postfix(
    *,
    users: Sequence[str] = (),
    routes: Mapping[str, tuple[str, int]] | None = None,
    address: str = "127.0.0.1",
    port: int = 0,
    certificate: tuple[Path, Path] | None = None,
) -> Iterator[Postfix]:
    """Mail for `users` is taken and stored, mail for a domain in `routes` goes to that (address, port)."""
    port = port or _free_port(address)
    directory = Path(tempfile.mkdtemp(prefix="mr-postfix-"))
    directory.chmod(0o755)  # Postfix's own users have to pass
    try:
        _configure(directory, users, routes or {}, f"{address}:{port}", certificate)
        _postfix(directory, "start")
        try:
            _wait_for(address, port)
            yield Postfix(directory, address, port)
        finally:
            _postfix(directory, "stop")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _configure(
    directory: Path,
    users: Sequence[str],
    routes: Mapping[str, tuple[str, int]],
    listen: str,
    certificate: tuple[Path, Path] | None,
) -> None:
    for name in ("etc", "spool", "lib", "log", "mail"):
        (directory / name).mkdir()
    nobody = pwd.getpwnam("nobody")
    os.chown(directory / "mail", nobody.pw_uid, nobody.pw_gid)
    postfix = pwd.getpwnam("postfix")
    os.chown(directory / "lib", postfix.pw_uid, postfix.pw_gid)
    boxes = " ".join(f"{{{user}={_maildir(user)}}}" for user in users)
    ways = " ".join(f"{{{domain}=smtp:[{host}]:{port}}}" for domain, (host, port) in routes.items())
    settings = {
        "compatibility_level": "3.6",
        "queue_directory": directory / "spool",
        "data_directory": directory / "lib",
        "command_directory": "/usr/sbin",
        "daemon_directory": "/usr/lib/postfix/sbin",
        "mail_owner": "postfix",
        "setgid_group": "postdrop",
        "inet_interfaces": "127.0.0.1",
        "inet_protocols": "ipv4",
        "myhostname": "postfix.test",
        "mydestination": "",
        "mynetworks": "127.0.0.0/8",
        "alias_maps": "",
        "alias_database": "",
        "virtual_mailbox_domains": " ".join(sorted({user.rpartition("@")[2] for user in users})),
        "virtual_mailbox_maps": f"inline:{{{boxes}}}" if boxes else "",
        "virtual_mailbox_base": directory / "mail",
        "virtual_minimum_uid": "1",
        "virtual_uid_maps": f"static:{nobody.pw_uid}",
        "virtual_gid_maps": f"static:{nobody.pw_gid}",
        "transport_maps": f"inline:{{{ways}}}" if ways else "",
        "default_transport": "error:5.1.2 no route in this test",
        "smtpd_relay_restrictions": "permit_mynetworks, reject",
        "smtp_tls_security_level": "may",
        "smtpd_tls_security_level": "may" if certificate else "none",
        "maillog_file": directory / "log" / "postfix",
        "maillog_file_prefixes": directory,
        "minimal_backoff_time": "1s",
        "queue_run_delay": "1s",
        "biff": "no",
    }
    if certificate is not None:
        settings["smtpd_tls_cert_file"], settings["smtpd_tls_key_file"] = certificate
    text = "".join(f"{key} = {value}\n" for key, value in settings.items())
    (directory / "etc" / "main.cf").write_text(text)
    (directory / "etc" / "master.cf").write_text(_SERVICES.format(listen=listen))


def _maildir(user: str) -> str:
    localpart, _, domain = user.rpartition("@")
    return f"{domain}/{localpart}/"


def _postfix(directory: Path, action: str) -> None:
    done = subprocess.run(  # noqa: S603
        ["/usr/sbin/postfix", "-c", str(directory / "etc"), action],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
    )
    if done.returncode and action == "start":
        raise RuntimeError(f"postfix {action}: {done.stdout.decode(errors='replace')}")


def _free_port(address: str) -> int:
    with socket.create_server((address, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _wait_for(address: str, port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            with socket.create_connection((address, port), timeout=5) as connection:
                if connection.recv(3) == b"220":
                    return
        except OSError:
            pass
        if time.monotonic() > deadline:
            raise RuntimeError("postfix does not answer")
        time.sleep(0.05)
