"""Accepting TCP connections: who the client is, behind proxies too."""
