"""Settings of the HTTP API."""

from pathlib import Path

from pydantic import Field

from mailraven.config.section import Section
from mailraven.config.units import CommaList, Network, Size


class HttpConfig(Section):
    """HTTP, for the role admin."""

    trusted_proxies: CommaList[Network] = ()
    """Addresses or networks of the reverse proxies in front of the API. Only from them are X-Forwarded-For, X-Real-IP
    and X-Forwarded-Proto believed."""
    admin_token_file: Path | None = None
    """A file with a bearer token that may do everything, made elsewhere (a Kubernetes or Docker secret): mr_ and the
    URL-safe base64 of 32 random bytes. The role admin keeps it as the token `bootstrap`, and looks at the file every
    ten seconds: what was there before is refused from then on. The limits of the API do not count its requests."""
    max_body_size: Size = Field(default=1_048_576, ge=65_536, le=1 << 30)
    """The largest JSON document that is taken. Messages may have smtp.max_message_size."""
