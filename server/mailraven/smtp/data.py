"""The mail data after DATA: finds its end, takes the stuffed dots out, counts, judges line ends.

RFC 5321 §4.5.2, §2.3.8. Works on whole buffers: a message of many lines costs a few searches.
"""

from enum import Enum

END = b"\r\n.\r\n"
_KEPT = len(END) - 1


class Fault(Enum):
    """Why the data can't be taken. It is read to its end all the same, and not kept."""

    BARE_LINE_END = "bare CR or LF"
    TOO_LARGE = "larger than the limit"
    NO_MEMORY = "no memory left for it"


class DataReader:
    """Fed the connection's receive buffer, takes from its front what belongs to the message.

    Only CRLF.CRLF ends the data. Bare CR and bare LF are content, and a fault: what follows one must
    never be taken for the end of a line, here or by the next host (SMTP smuggling).
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.received = 0  # octets of content seen, also those not kept; stuffed dots not counted
        self.fault: Fault | None = None
        self._chunks: list[bytes] = []
        self._line_start = True  # the CRLF of the DATA command counts (RFC 5321 §4.1.1.4)

    @property
    def held(self) -> int:
        """Octets in memory."""
        return 0 if self.fault is not None else self.received

    def feed(self, buffer: bytearray) -> bool:
        """Takes from `buffer` all it can; True at the end, with what follows it left in `buffer`."""
        if self._line_start and buffer.startswith(b".\r\n"):
            del buffer[:3]
            return True
        end = buffer.find(END)
        if end >= 0:
            self._take(bytes(memoryview(buffer)[: end + 2]))
            del buffer[: end + len(END)]
            return True
        # Keep back what may be the start of the end, and never cut a CRLF in two.
        cut = len(buffer) - _KEPT
        if cut > 0 and buffer[cut - 1] == 0x0D:
            cut -= 1
        if cut > 0:
            self._take(bytes(memoryview(buffer)[:cut]))
            del buffer[:cut]
        return False

    def discard(self, fault: Fault) -> None:
        """Forgets what was kept and keeps nothing more; the first fault stays."""
        self.fault = self.fault or fault
        self._chunks.clear()

    def take_content(self) -> bytes:
        """The message as it was before dot-stuffing, once; only without a fault. Nothing is held afterwards."""
        if self.fault is not None:
            raise ValueError(f"the data was refused: {self.fault.value}")
        chunks, self._chunks = self._chunks, []
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _take(self, chunk: bytes) -> None:
        line_start, self._line_start = self._line_start, chunk.endswith(b"\r\n")
        if self.fault is None:
            pairs = chunk.count(b"\r\n")
            if chunk.count(b"\r") != pairs or chunk.count(b"\n") != pairs:
                self.discard(Fault.BARE_LINE_END)
            elif b"\r\n." in chunk:
                chunk = chunk.replace(b"\r\n.", b"\r\n")
        if line_start and chunk.startswith(b"."):
            chunk = chunk[1:]
        self.received += len(chunk)
        if self.received > self.limit:
            # Too large outranks the rest: it is what the client can act on.
            self.fault = None
            self.discard(Fault.TOO_LARGE)
        elif self.fault is None:
            self._chunks.append(chunk)
