"""The JSON of --ready-file: where everything listens and how to sign in."""

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mailraven.app.data_directory import write_private
from mailraven.app.errors import StartError
from mailraven.app.first_start import Prepared
from mailraven.app.sockets import Endpoint

_KEYS = {
    "smtp": "mx",
    "submission": "submission",
    "submissions": "submissions",
    "imap": "imap",
    "imaps": "imaps",
}


def describe(endpoints: Mapping[str, Endpoint], prepared: Prepared, ca_file: Path | None) -> dict[str, Any]:
    """The content. A password is null unless this start made the account."""
    http = endpoints["http"]
    return {
        "pid": os.getpid(),
        **{key: {"host": endpoints[name].host, "port": endpoints[name].port} for key, name in _KEYS.items()},
        "http": {"url": url(http)},
        "admin_token": prepared.admin_token,
        "ca_file": str(ca_file) if ca_file else None,
        "users": [{"address": user.address, "password": user.password} for user in prepared.users],
    }


def url(endpoint: Endpoint) -> str:
    """Of an HTTP listener."""
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    return f"http://{host}:{endpoint.port}"


def write_api_url(path: Path, http: Endpoint) -> None:
    """For the commands on this machine: one that listens everywhere is called on the loopback."""
    loopback = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - looked at, not bound
    try:
        write_private(path, url(dataclasses.replace(http, host=loopback.get(http.host, http.host))) + "\n")
    except OSError as error:
        raise StartError(f"{path}: {error.strerror}") from None


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Appears whole, mode 600: it holds secrets."""
    try:
        write_private(path, json.dumps(content, indent=2) + "\n")
    except OSError as error:
        raise StartError(f"--ready-file {path}: {error.strerror}") from None
