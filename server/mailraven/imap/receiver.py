"""Cuts a byte stream into commands (RFC 9051 §2.2.1, §4.3; RFC 7888). Asks for bytes, never reads them.

`next()` gives `Received`, `NeedMore`, `NeedLiteral` (answer it by `accept` or `refuse`) or `Invalid`; how the bytes
were split on their way changes nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from io import BytesIO

from mailraven.imap.abnf import ATOM_CHAR, TAG_CHAR, char_class
from mailraven.imap.lexer import Lexer, Literal
from mailraven.imap.limits import Limits
from mailraven.imap.literals import MAX_SIZE, Announcement, Skip, Skipped, announcement

MESSAGE_COMMANDS = frozenset({"APPEND"})
"""Commands whose literals, that of the mailbox name excepted, count against Limits.message."""
MAX_LITERALS = 1000
"""In one command."""
MAX_TAG = 128
MAX_COMMAND_NAME = 40

_TAG = char_class(TAG_CHAR) + b"{1,%d}" % MAX_TAG
_NAME = char_class(ATOM_CHAR) + b"{1,%d}" % MAX_COMMAND_NAME
# command = tag SP (command-any / command-auth / command-nonauth / command-select) CRLF ; uid = "UID" SP (...)
_HEAD = re.compile(rb"(" + _TAG + rb") ((?:[Uu][Ii][Dd] )?" + _NAME + rb")(?= |\Z)")
_TAG_ONLY = re.compile(rb"(" + _TAG + rb") ")
# A browser or a TLS client on the plain port: their first octets are never an IMAP command.
_HTTP = re.compile(rb"(?:GET|POST|HEAD|PUT|OPTIONS|CONNECT|DELETE|PATCH|TRACE|PRI) \S+ HTTP/[0-9.]+\Z")
_TLS_HANDSHAKE = 0x16


@dataclass(frozen=True, slots=True)
class Received:
    """A complete command. `name` is in capitals, with `UID ` before it for those variants."""

    tag: str
    name: str
    lines: tuple[bytes, ...]
    literals: tuple[Literal, ...] = ()

    def lexer(self, *, utf8: bool = False) -> Lexer:
        """The arguments: what comes after the name, its SP included."""
        return Lexer(self.lines, self.literals, utf8=utf8)


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is no command: a SASL response, or IDLE's DONE; without its CRLF."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class NeedMore:
    """Nothing complete: feed."""


@dataclass(frozen=True, slots=True)
class NeedLiteral:
    """The command goes on with a literal. Answer by `accept()` (and send `+` when `sync`) or by `refuse()`."""

    tag: str
    name: str
    size: int
    sync: bool
    """The client waits for our continuation request; else the octets are on their way."""
    binary: bool
    too_big: bool
    """Over a limit: it must be refused."""
    discardable: bool
    """A refused literal can be read and thrown away within Limits.discard; else only BYE is left."""
    message: bool = False
    """It is a message (APPEND), measured by Limits.message."""


@dataclass(frozen=True, slots=True)
class Invalid:
    """Not a command: BAD, tagged if the tag was legible. The text that is wrong is consumed by itself."""

    tag: str | None
    text: str
    fatal: bool = False
    """The stream cannot be followed any further: BYE."""


Event = Received | NeedMore | NeedLiteral | Invalid

NEED_MORE = NeedMore()


class Receiver:
    """State of one connection's input. `limits` may be replaced at any time (at login)."""

    __slots__ = (
        "_announced",
        "_buffer",
        "_command_octets",
        "_first",
        "_head",
        "_lines",
        "_literal",
        "_literals",
        "_message_octets",
        "_missing",
        "_scanned",
        "_skip",
        "limits",
    )

    # The command that is being received: tag and name once they are read, text and literals so far.
    _head: tuple[str, str] | None
    _lines: list[bytes]
    _literals: list[Literal]
    _command_octets: int
    _message_octets: int
    _announced: NeedLiteral | None
    _literal: BytesIO | None
    _missing: int
    # What is being thrown away.
    _skip: Skip | None

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._buffer = bytearray()
        self._first = True
        self._clear_command()
        self._skip = None
        self._scanned = 0

    # --- input ------------------------------------------------------------

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take octets from the peer. Drain `next()` before feeding again: this is what bounds the buffer."""
        self._buffer += data

    @property
    def buffered(self) -> int:
        """Octets taken and not yet understood: must be 0 when STARTTLS begins."""
        return len(self._buffer)

    @property
    def idle(self) -> bool:
        """Whether no command is half received."""
        return not self._buffer and self._head is None and self._skip is None

    def clear(self) -> None:
        """Forget all input (STARTTLS: what came before never counts inside, RFC 9051 §6.2.1)."""
        self._buffer = bytearray()
        self._scanned = 0
        self._clear_command()
        self._skip = None

    def take_buffer(self) -> bytes:
        """Give up the raw octets not yet understood (a change of the stream's coding, RFC 4978)."""
        octets = bytes(self._buffer)
        self.clear()
        return octets

    # --- events -----------------------------------------------------------

    def next(self) -> Event:
        """The next event; call again until NeedMore, or NeedLiteral (which repeats until it is answered)."""
        while True:
            if self._skip is not None:
                dropped = self._drop()
                if dropped is not None:
                    return dropped
            elif self._announced is not None:
                return self._announced
            elif self._literal is not None and not self._fill_literal():
                return NEED_MORE
            else:
                event = self._next_fragment()
                if event is not None:
                    return event

    def next_line(self) -> Line | NeedMore | Invalid:
        """The next line as it is: for SASL responses and DONE, between two commands."""
        if self._skip is not None:
            dropped = self._drop()
            if dropped is not None:
                return dropped
        line = self._take_line(self.limits.line)
        if line is None:
            return NEED_MORE
        return line if isinstance(line, Invalid) else Line(line)

    def accept(self) -> None:
        """Read the announced literal."""
        announced = self._announced
        if announced is None or announced.too_big:
            raise ValueError("no literal is announced that may be accepted")
        self._announced = None
        self._literal = BytesIO()
        self._missing = announced.size

    def refuse(self) -> None:
        """Drop the command whose literal is announced; the caller answers it with a tagged NO or BAD.

        A client that waits (sync) sends nothing more of it. One that does not has sent the octets and the rest of
        the command: they are read and thrown away, whatever they look like (RFC 7888 §4).
        """
        announced = self._announced
        if announced is None:
            raise ValueError("no literal is announced")
        self._clear_command()
        if not announced.sync:
            self._begin_skip(announced.size)

    # --- lines and literals --------------------------------------------------

    def _next_fragment(self) -> Event | None:
        room = min(self.limits.line, self.limits.command - self._command_octets)
        fragment = self._take_line(room)
        if fragment is None:
            return NEED_MORE
        if isinstance(fragment, Invalid):
            return fragment
        self._command_octets += len(fragment)
        if self._head is None:
            problem = self._read_head(fragment)
            if problem is not None:
                return problem
            fragment = self._lines.pop()
        follows = announcement(fragment)
        if follows is None:
            self._lines.append(fragment)
            return self._complete()
        self._lines.append(fragment[: follows.start])
        return self._announce(follows)

    def _read_head(self, line: bytes) -> Invalid | None:
        """Find tag and name; leave the rest of the line as the first fragment."""
        first, self._first = self._first, False
        head = _HEAD.match(line)
        if first and _HTTP.match(line):
            return Invalid(None, "this is an IMAP server", fatal=True)
        if head is None:
            tag = _TAG_ONLY.match(line)
            self._clear_command()
            self._skip_literal_of(line)
            text = "expected a tag, a space and a command" if tag is None else "expected a command after the tag"
            return Invalid(tag[1].decode("ascii") if tag else None, text)
        self._head = (head[1].decode("ascii"), head[2].decode("ascii").upper())
        self._lines.append(line[head.end() :])
        return None

    def _announce(self, literal: Announcement) -> Invalid | None:
        tag, name = self._head or ("", "")
        size, sync = literal.size, literal.sync
        if size > MAX_SIZE:
            # RFC 9051 §9: number64 has 63 bits. Such a literal has no end that we could look for.
            self._clear_command()
            return Invalid(tag, "the size of a literal is out of range", fatal=not sync)
        if len(self._literals) >= MAX_LITERALS:
            self._clear_command()
            if not sync:
                self._begin_skip(size)
            return Invalid(tag, f"more than {MAX_LITERALS} literals in a command")
        limits, message = self.limits, self._at_message()
        if message:
            room = limits.message - self._message_octets
        else:
            room = min(limits.literal, limits.command - self._command_octets)
        discardable = sync or size <= limits.discard
        self._announced = NeedLiteral(tag, name, size, sync, literal.binary, size > room, discardable, message)
        self._literals.append(Literal(b"", literal.binary))
        return None

    def _at_message(self) -> bool:
        """Whether the literal that comes now is a message; the first argument of APPEND is the mailbox."""
        return self._head is not None and self._head[1] in MESSAGE_COMMANDS and self._lines != [b" "]

    def _fill_literal(self) -> bool:
        literal = self._literal
        if literal is None:
            return True
        if self._missing:
            chunk = self._buffer[: self._missing]
            literal.write(chunk)
            self._missing -= len(chunk)
            del self._buffer[: len(chunk)]
            if self._missing:
                return False
        octets = literal.getvalue()
        self._literals[-1] = Literal(octets, self._literals[-1].binary)
        self._literal = None
        if self._at_message():
            self._message_octets += len(octets)
        else:
            self._command_octets += len(octets)
        return True

    def _complete(self) -> Received:
        tag, name = self._head or ("", "")
        received = Received(tag, name, tuple(self._lines), tuple(self._literals))
        self._clear_command()
        return received

    def _take_line(self, room: int) -> bytes | Invalid | None:
        """A line without its CRLF; None: not there yet. A bad line is reported at once and dropped up to CRLF."""
        buffer = self._buffer
        if self._first and buffer and buffer[0] == _TLS_HANDSHAKE:
            return Invalid(None, "TLS is not spoken on this port; use STARTTLS", fatal=True)
        newline = buffer.find(b"\n", self._scanned)
        if newline < 0:
            if len(buffer) > room + 1:  # the CR may be there already
                return self._bad_line("the command line is too long")
            self._scanned = len(buffer)
            return None
        if newline - 1 > room:
            return self._bad_line("the command line is too long")
        self._scanned = 0
        if newline == 0 or buffer[newline - 1] != 0x0D:
            return self._bad_line("a line must end with CRLF, not with LF alone")
        line = bytes(buffer[: newline - 1])
        del buffer[: newline + 1]
        if b"\0" in line or b"\r" in line:
            tag = self._tag_of(line)
            self._first = False
            self._clear_command()
            self._skip_literal_of(line)
            return Invalid(tag, "a line holds a bare CR or NUL")
        return line

    def _tag_of(self, line: bytes) -> str | None:
        if self._head is not None:
            return self._head[0]
        tag = _TAG_ONLY.match(line)
        return tag[1].decode("ascii") if tag else None

    def _clear_command(self) -> None:
        self._head = None
        self._lines = []
        self._literals = []
        self._command_octets = 0
        self._message_octets = 0
        self._announced = None
        self._literal = None
        self._missing = 0

    # --- throwing away a command that was answered -------------------------------

    def _bad_line(self, text: str) -> Invalid:
        tag = self._tag_of(bytes(self._buffer[: MAX_TAG + 1]))
        self._first = False
        self._clear_command()
        self._begin_skip(0)
        return Invalid(tag, text)

    def _skip_literal_of(self, line: bytes) -> None:
        """A bad line may announce a literal that is on its way."""
        follows = announcement(line)
        if follows is not None and not follows.sync:
            self._begin_skip(follows.size)

    def _begin_skip(self, literal: int) -> None:
        self._skip = Skip(literal)
        self._scanned = 0

    def _drop(self) -> NeedMore | Invalid | None:
        """None: everything of the refused command is gone."""
        if self._skip is None:
            return None
        skipped = self._skip.run(self._buffer, self.limits.discard)
        if skipped is Skipped.NEED_MORE:
            return NEED_MORE
        if skipped is Skipped.TOO_MUCH:
            return Invalid(None, "too much input to throw away", fatal=True)
        self._skip = None
        return None
