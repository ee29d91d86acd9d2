"""The PROXY protocol, versions 1 and 2: bytes to values; pure."""

from mailraven.proxy.header import (
    LOCAL_V2,
    MAX_V1,
    MAX_V2_LENGTH,
    SIGNATURE_V1,
    SIGNATURE_V2,
    Fault,
    Local,
    Malformed,
    NeedMore,
    NotProxy,
    Parsed,
    Proxied,
    parse,
)

__all__ = [
    "LOCAL_V2",
    "MAX_V1",
    "MAX_V2_LENGTH",
    "SIGNATURE_V1",
    "SIGNATURE_V2",
    "Fault",
    "Local",
    "Malformed",
    "NeedMore",
    "NotProxy",
    "Parsed",
    "Proxied",
    "parse",
]
