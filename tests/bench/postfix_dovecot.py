"""Postfix and Dovecot of the system, in directories and on ports of their own: durable defaults, sdbox, no TLS, no
filters. Their usual instances are neither used nor started. Needs root.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from accounting import ControlGroup, Meter, ProcessFamily
from servers import DOMAIN, USERS, Side

_HOST = "127.0.0.1"
_PASSWORD = "secret"
_FIRST_MAIL_USER = 60_001  # one for each account: inotify instances are limited by user
_START_SECONDS = 30.0

_DOVECOT = """
base_dir = {top}/run
state_dir = {top}/state
instance_name = bench-{imap}
log_path = {top}/log/dovecot
protocols = imap lmtp
listen = {host}
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
first_valid_uid = 1
mail_privileged_group =
mail_location = sdbox:{top}/mail/%u/sdbox
mail_max_userip_connections = 3000
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {top}/users
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {top}/users
}}
namespace inbox {{
  inbox = yes
}}
service imap-login {{
  inet_listener imap {{
    address = {host}
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = {host}
    port = {lmtp}
  }}
}}
service imap {{
  process_limit = 3000
}}
service anvil {{
  client_limit = 5000
}}
service auth {{
  client_limit = 8000
}}
service stats {{
  client_limit = 8000
}}
"""

_POSTFIX = """
compatibility_level = 3.6
queue_directory = {top}/spool
data_directory = {top}/lib
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = {host}
inet_protocols = ipv4
myhostname = peer.test
mydomain = peer.test
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
virtual_mailbox_domains = {domain}
virtual_transport = lmtp:inet:{host}:{lmtp}
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_tls_security_level = none
maillog_file = {top}/log/postfix
maillog_file_prefixes = {top}
smtputf8_enable = no
biff = no
"""

_MASTER = """
{host}:{smtp} inet n - n - - smtpd
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
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


def why_not() -> str | None:
    """The reason why they cannot be measured beside, or None."""
    missing = [name for name in ("postfix", "dovecot") if shutil.which(name) is None]
    if missing:
        return f"{' and '.join(missing)} not installed (Debian: postfix dovecot-imapd dovecot-lmtpd)"
    if os.geteuid() != 0:
        return "they need root to start"
    return None


class PostfixDovecot:
    """Started by the constructor; close() stops both."""

    name = "postfix_dovecot"

    def __init__(self, top: Path) -> None:
        self._top = top
        self._meter: Meter = ControlGroup.create(self.name) or ProcessFamily(self._masters)
        self._ports = dict(zip(("smtp", "lmtp", "imap"), _free_ports(3), strict=True))
        self._write_files()
        self._start()
        self.side = Side(
            self.name,
            self._meter,
            (_HOST, self._ports["smtp"]),
            (_HOST, self._ports["imap"]),
            [(f"u{number}@{DOMAIN}", _PASSWORD) for number in range(1, USERS + 1)],
            versions={
                "postfix": _output(["postconf", "-d", "-h", "mail_version"]),
                "dovecot": _output(["dovecot", "--version"]).split(" ")[0],
            },
        )

    def _write_files(self) -> None:
        top = self._top
        for name in ("etc", "spool", "lib", "run", "state", "mail", "log"):
            (top / name).mkdir(parents=True)
        top.chmod(0o755)
        (top / "mail").chmod(0o1777)
        shutil.chown(top / "lib", "postfix")
        values = {"top": top, "host": _HOST, "domain": DOMAIN, **self._ports}
        (top / "dovecot.conf").write_text(_DOVECOT.format(**values))
        (top / "etc" / "main.cf").write_text(_POSTFIX.format(**values))
        (top / "etc" / "master.cf").write_text(_MASTER.format(**values))
        lines = []
        for number in range(USERS):
            name, user = f"u{number + 1}@{DOMAIN}", _FIRST_MAIL_USER + number
            lines.append(f"{name}:{{PLAIN}}{_PASSWORD}:{user}:{user}::{top}/mail/{name}/home::\n")
        (top / "users").write_text("".join(lines))

    def _start(self) -> None:
        prefix = self._meter.prefix()
        with (self._top / "log" / "start").open("wb") as log:
            for command in (
                ["dovecot", "-c", self._top / "dovecot.conf"],
                ["postfix", "-c", self._top / "etc", "start"],
            ):
                subprocess.run([*prefix, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False)
        deadline = time.monotonic() + _START_SECONDS
        while not all(_accepts(port) for port in self._ports.values()):
            if time.monotonic() > deadline:
                self.close()
                raise RuntimeError(f"Postfix and Dovecot did not start: {(self._top / 'log' / 'start').read_text()}")
            time.sleep(0.05)

    def _masters(self) -> list[int]:
        files = (self._top / "spool" / "pid" / "master.pid", self._top / "run" / "master.pid")
        return [int(file.read_text().split()[0]) for file in files]

    def close(self) -> None:
        """Stop both."""
        subprocess.run(["postfix", "-c", self._top / "etc", "stop"], capture_output=True, check=False, timeout=60)
        with suppress(OSError, ValueError):
            os.kill(int((self._top / "run" / "master.pid").read_text().split()[0]), signal.SIGTERM)
        self._meter.close()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server((_HOST, 0)) for _ in range(count)]
    try:
        return [opened.getsockname()[1] for opened in sockets]
    finally:
        for opened in sockets:
            opened.close()


def _accepts(port: int) -> bool:
    with suppress(OSError), socket.create_connection((_HOST, port), timeout=1):
        return True
    return False


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout.strip()
