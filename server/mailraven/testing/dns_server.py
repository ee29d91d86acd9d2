"""A small authoritative DNS server for tests: UDP and TCP on one loopback port, zones given as text.

CNAMEs are followed inside the zones, as a recursive resolver would do for its client (RFC 1034 §4.3.2).
"""

from __future__ import annotations

import asyncio
import struct
from collections import Counter
from types import TracebackType
from typing import cast

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.zone

_CLASSIC_UDP = 512  # RFC 1035 §4.2.1


class DnsServer:
    """`async with DnsServer({"example.test": "@ MX 10 mx"}) as server: ... server.endpoint`.

    Names in `failing` get SERVFAIL, names in `silent` no answer at all; both include what is below them.
    """

    def __init__(self, zones: dict[str, str] | None = None) -> None:
        self._zones: dict[dns.name.Name, dns.zone.Zone] = {}
        self.failing: set[str] = set()
        self.silent: set[str] = set()
        self.asked: Counter[tuple[str, str, str]] = Counter()
        """How often (name, type, "udp" or "tcp") was asked."""
        self.port = 0
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None
        for origin, text in (zones or {}).items():
            self.add_zone(origin, text)

    @property
    def endpoint(self) -> str:
        """As the resolver's setting has it."""
        return f"127.0.0.1:{self.port}"

    def add_zone(self, origin: str, text: str) -> None:
        """Set a zone; SOA and NS are put before `text` (a TTL of 0 keeps answers out of caches)."""
        apex = "$TTL 0\n@ SOA ns hostmaster 1 60 60 60 0\n@ NS ns\nns A 127.0.0.1\n"
        zone = dns.zone.from_text(apex + text, origin=origin, relativize=False)
        self._zones[dns.name.from_text(origin)] = zone

    async def __aenter__(self) -> DnsServer:
        loop = asyncio.get_running_loop()
        for _ in range(20):  # a port that is free for UDP may be taken for TCP
            self._udp, _ = await loop.create_datagram_endpoint(lambda: _Udp(self), local_addr=("127.0.0.1", 0))
            self.port = self._udp.get_extra_info("sockname")[1]
            try:
                self._tcp = await asyncio.start_server(self._serve_tcp, "127.0.0.1", self.port)
            except OSError:
                self._udp.close()
            else:
                return self
        raise OSError("no port is free for both UDP and TCP")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._udp is not None:
            self._udp.close()
        if self._tcp is not None:
            self._tcp.close()
            await self._tcp.wait_closed()

    def answer(self, wire: bytes, transport: str) -> bytes | None:
        """The response to a query; None: silence."""
        query = dns.message.from_wire(wire)
        question = query.question[0]
        self.asked[question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype), transport] += 1
        if _covers(self.silent, question.name):
            return None
        response = dns.message.make_response(query, recursion_available=True)
        if _covers(self.failing, question.name):
            response.set_rcode(dns.rcode.SERVFAIL)
        else:
            self._fill(response, question.name, question.rdtype)
        limit = 65535 if transport == "tcp" else max(query.payload, _CLASSIC_UDP)
        data = response.to_wire(max_size=65535)
        if len(data) > limit:
            response = dns.message.make_response(query, recursion_available=True)
            response.flags |= dns.flags.TC
            data = response.to_wire()
        return data

    def _fill(self, response: dns.message.Message, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> None:
        for _ in range(10):
            zone = self._zone_of(name)
            if zone is None:
                response.set_rcode(dns.rcode.REFUSED if not response.answer else dns.rcode.NOERROR)
                return
            response.flags |= dns.flags.AA
            node = zone.get_node(name)
            if node is None:
                below = any(other.is_subdomain(name) for other in zone.nodes)
                response.set_rcode(dns.rcode.NOERROR if below else dns.rcode.NXDOMAIN)
                self._add_soa(response, zone)
                return
            alias = node.get_rdataset(dns.rdataclass.IN, dns.rdatatype.CNAME)
            found = node.get_rdataset(dns.rdataclass.IN, kind) or alias
            if found is None:
                self._add_soa(response, zone)
                return
            response.answer.append(dns.rrset.from_rdata_list(name, found.ttl, list(found)))
            if found is not alias or kind == dns.rdatatype.CNAME:
                return
            name = found[0].target

    def _zone_of(self, name: dns.name.Name) -> dns.zone.Zone | None:
        while True:
            if name in self._zones:
                return self._zones[name]
            if name == dns.name.root:
                return None
            name = name.parent()

    def _add_soa(self, response: dns.message.Message, zone: dns.zone.Zone) -> None:
        soa = zone.find_rrset(zone.origin or dns.name.root, dns.rdatatype.SOA)
        response.authority.append(soa)

    async def _serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                data = self.answer(await reader.readexactly(length), "tcp")
                if data is not None:
                    writer.write(struct.pack("!H", len(data)) + data)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        response = self._server.answer(data, "udp")
        if response is not None and self._transport is not None:
            self._transport.sendto(response, address)


def _covers(names: set[str], name: dns.name.Name) -> bool:
    return any(name.is_subdomain(dns.name.from_text(other)) for other in names)
