"""S3 keys that the platform gives a process: a web identity, a container's or a machine's. Imported with minio."""

from minio.credentials.credentials import Credentials
from minio.credentials.providers import IamAwsProvider, Provider
from urllib3 import PoolManager, Retry
from urllib3.exceptions import HTTPError

_SECONDS = 5.0
_RETRIES = Retry(total=2, backoff_factor=0.2, status_forcelist=(500, 502, 503, 504), allowed_methods=None)


class _Quiet(Provider):
    """The client's errors have the URL, and that has the token."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def retrieve(self) -> Credentials:
        """Those before as long as they hold. Raises OSError."""
        try:
            found: Credentials = self._provider.retrieve()
        except (ValueError, KeyError, HTTPError, SyntaxError) as error:
            raise OSError(f"the platform gives no keys ({type(error).__name__})") from None
        return found


def workload_keys(sts_endpoint: str, region: str) -> Provider:
    """Asks when a request needs keys and those before are over."""
    http = PoolManager(retries=_RETRIES, timeout=_SECONDS)  # its own: the store's waits longer
    return _Quiet(IamAwsProvider(custom_endpoint=sts_endpoint or None, region=region or None, http_client=http))
