"""Names and addresses as custom resources write them, and the keys by which two of them are the same."""

import unicodedata
from typing import Annotated

from pydantic import Field

from mailraven_api.kubernetes.form import Form
from mailraven_api.kubernetes.rule import rules
from mailraven_api.policy import Network

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = rf"{_LABEL}(\.{_LABEL})*"

DomainName = Annotated[
    str,
    Field(min_length=1, max_length=253),
    Form(_DOMAIN, "a domain in lower case such as example.org, an internationalized one as xn--..."),
]
"""Lower case, without a dot at the end; internationalized names as A-labels (xn--...)."""
MailAddress = Annotated[
    str,
    Field(min_length=3, max_length=254),
    Form(
        rf"[^/\x00-\x1f\x7f]+@{_DOMAIN}",
        "an address such as ann@example.org, its domain in lower case, without slashes and control characters",
    ),
]
"""A whole address; its domain as in DomainName. Without slashes, for addresses are part of URLs of the API."""

Networks = Annotated[
    tuple[
        Annotated[
            Network,
            Field(
                json_schema_extra=rules(
                    (
                        "isIP(self) || isCIDR(self) && cidr(self) == cidr(self).masked()",
                        "expected an address or a network such as 192.0.2.0/24 or 2001:db8::/32",
                    )
                )
            ),
        ],
        ...,
    ],
    Field(max_length=1000),
]
"""Networks in CIDR notation; an address alone is a network of one."""


def address_key(address: str) -> str:
    """Two addresses are the same to the server if these are."""
    return unicodedata.normalize("NFC", address.strip().lower())


def domain_of(address: str) -> str:
    """What follows the last @."""
    return address.rpartition("@")[2].lower()
