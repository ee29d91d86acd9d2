"""Where the API server is and how we show who we are: the pod's service account, or a kubeconfig outside of a cluster.

On kopf's own reading of both, which needs no further package (docs/operator.md, "Memory").
"""

import asyncio
import os
import ssl
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import kopf
import yaml

# The kubelet renews the token in its file at 80 % of its life, an hour; the one before is good for some minutes more.
_READ_AGAIN = 60.0
_KOPF_READS_AGAIN = timedelta(minutes=10)


class NoCluster(Exception):
    """Neither a service account nor a kubeconfig is there."""


class Cluster:
    """One API server. The files are read in threads, and again when they may have changed."""

    def __init__(self) -> None:
        self._info = _connection()
        self._read_at = time.monotonic()
        self._ssl: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        """Without a slash at the end."""
        return self._info.server.rstrip("/")

    async def ssl_context(self) -> ssl.SSLContext | None:
        """None: it is plain HTTP."""
        if not self.url.startswith("https:"):
            return None
        if self._ssl is None:
            self._ssl = await asyncio.to_thread(self._info.as_ssl_context)
        return self._ssl

    async def authorization(self, *, refresh: bool = False) -> dict[str, str]:
        """The header with the token; none with a client certificate."""
        if refresh or time.monotonic() - self._read_at > _READ_AGAIN:
            self._info = await asyncio.to_thread(_connection)
            self._read_at = time.monotonic()
        return self._info.as_http_headers()

    @staticmethod
    def for_kopf() -> kopf.ConnectionInfo:
        """Read anew; kopf asks again after some minutes when there is a token in it."""
        info = _connection()
        return replace(info, expiration=datetime.now(UTC) + _KOPF_READS_AGAIN) if info.token else info


def _connection() -> kopf.ConnectionInfo:
    settings = kopf.OperatorSettings()
    info = kopf.login_with_service_account(settings=settings)
    if info is not None:
        # As all clients do: the address that the kubelet gave, which needs no cluster DNS.
        host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT")
        if host and port:
            info = replace(info, server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}")
        return info
    try:
        info = kopf.login_with_kubeconfig(settings=settings)
    except (kopf.LoginError, OSError, yaml.YAMLError, LookupError, ValueError, TypeError, AttributeError) as error:
        raise NoCluster(f"the kubeconfig cannot be used ({type(error).__name__})") from None
    if info is None:
        raise NoCluster("there is neither a service account of a pod nor a kubeconfig (KUBECONFIG)")
    return info
