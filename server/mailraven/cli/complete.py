"""Completion of names by the shell: from the running server, quickly or not at all."""

import os
from pathlib import Path

_SECONDS = 1.5
_MOST = 200


def domain_names(incomplete: str) -> list[str]:
    """Domains that begin so."""
    return _names("domains", "name", incomplete)


def addresses(incomplete: str) -> list[str]:
    """Accounts whose address begins so."""
    return _names("accounts", "address", incomplete)


def _names(resource: str, key: str, incomplete: str) -> list[str]:
    try:
        from mailraven.app.data_directory import DataDirectory
        from mailraven.cli.api_client import Api, path
        from mailraven.cli.connection import find_server

        data = DataDirectory(Path(os.environ.get("MAILRAVEN_DATA", "data")))
        with Api(find_server(data, os.environ.get("MAILRAVEN_URL"), None, os.environ), timeout=_SECONDS) as api:
            found = [item[key] for item in api.pages(path(resource), limit=_MOST)]
    except Exception:  # noqa: BLE001 - a shell that completes has nowhere to show a problem
        return []
    return [name for name in found if name.startswith(incomplete)]
