"""Which server a command talks to, and with which token.

A token is never an argument (everybody on the machine can read those), and the data directory's own token is sent to
nobody but the server that runs on that directory.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from mailraven.app.data_directory import DataDirectory
from mailraven.cli.problems import CommandError, UsageProblem

NOT_RUNNING = "no running server: start it with `mailraven up`"


@dataclass(frozen=True, slots=True)
class Server:
    """Where it is and what it is to be told; `origin` says where the token came from."""

    url: str
    token: str
    origin: str


class NoServer(CommandError):
    """None was named, and none runs on the data directory."""


def find_server(data: DataDirectory, url: str | None, token_file: Path | None, environ: Mapping[str, str]) -> Server:
    """That of --url and MAILRAVEN_URL, else the one that runs on the data directory. Raises CommandError."""
    local = running_url(data)
    given = _checked(url) if url else None
    if given is None and local is None:
        raise NoServer(_why_not(data))
    address = given or local or ""
    if token_file is not None:
        return Server(address, _read_token(token_file, "--token-file"), f"--token-file {token_file}")
    if token := environ.get("MAILRAVEN_TOKEN", "").strip():
        return Server(address, _sendable(token, "MAILRAVEN_TOKEN"), "the variable MAILRAVEN_TOKEN")
    if file := environ.get("MAILRAVEN_TOKEN_FILE", "").strip():
        return Server(address, _read_token(Path(file), "MAILRAVEN_TOKEN_FILE"), f"MAILRAVEN_TOKEN_FILE {file}")
    if local is None or address != local:
        raise UsageProblem(
            f"no token for {address}: set MAILRAVEN_TOKEN, or name a file with --token-file or MAILRAVEN_TOKEN_FILE "
            "(`mailraven token add NAME` on the server's machine makes one)"
        )
    return Server(address, _read_token(data.admin_token, "the data directory's token"), str(data.admin_token))


def running_url(data: DataDirectory) -> str | None:
    """The API of the `up` that runs on this directory now."""
    try:
        url = data.api_url.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    # A killed `up` leaves the file, and somebody else may listen there now.
    return url if url and data.is_locked() else None


def _why_not(data: DataDirectory) -> str:
    if not data.exists():
        return (
            f"{NOT_RUNNING} ({data.path} is no data directory: name one with --data, or another server with "
            "MAILRAVEN_URL and MAILRAVEN_TOKEN)"
        )
    if data.is_locked():
        return f"the server on {data.path} is not ready yet: try again in a moment"
    return NOT_RUNNING if data.path == Path("data").absolute() else f"{NOT_RUNNING} --data {data.path}"


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url.strip())
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.username is not None or parts.query or parts.fragment:
        raise UsageProblem(f"expected a URL such as https://mail.example.org or http://127.0.0.1:8080, not {url!r}")
    return url.strip().rstrip("/")


def _read_token(path: Path, what: str) -> str:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise CommandError(f"{what} {path}: {reason}") from None
    return _sendable(text, f"{what} {path}")


def _sendable(token: str, what: str) -> str:
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise CommandError(f"{what}: expected one token in it, such as `mailraven token add` prints")
    return token
