"""Accepting on a listening socket: directly, or through the door for load balancers."""

import asyncio
import functools
import socket
import ssl

from mailraven.net.door import door_of
from mailraven.net.proxied import Make, ProxiedListener


async def listen(
    make: Make,
    listening: socket.socket,
    *,
    tls: ssl.SSLContext | None,
    tls_timeout: float,
    proxied: ProxiedListener | None,
) -> asyncio.Server:
    """`tls`: implicit, from the first octet (behind the header of a balancer). A server without it speaks first."""
    loop = asyncio.get_running_loop()
    if proxied is not None:
        door = door_of(proxied, make, server_first=tls is None, tls=tls, tls_timeout=tls_timeout)
        return await loop.create_server(door, sock=listening)
    return await loop.create_server(
        functools.partial(make, None),
        sock=listening,
        ssl=tls,
        ssl_handshake_timeout=tls_timeout if tls is not None else None,
    )
