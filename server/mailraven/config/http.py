"""Settings of the HTTP API."""

from pydantic import Field

from mailraven.config.section import Section
from mailraven.config.units import CommaList, Network, Size


class HttpConfig(Section):
    """HTTP, for the role admin."""

    trusted_proxies: CommaList[Network] = ()
    """Addresses or networks of the reverse proxies in front of the API. Only from them are X-Forwarded-For, X-Real-IP
    and X-Forwarded-Proto believed."""
    max_body_size: Size = Field(default=1_048_576, ge=65_536, le=1 << 30)
    """The largest JSON document that is taken. Messages may have smtp.max_message_size."""
