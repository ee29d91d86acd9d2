"""DKIM keys of domains: made, rotated, retired (RFC 6376, RFC 8463)."""
