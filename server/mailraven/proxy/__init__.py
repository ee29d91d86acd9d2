"""The PROXY protocol, versions 1 and 2: bytes to values; pure."""
