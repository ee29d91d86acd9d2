"""Rows in COPY's text format: cut into chunks at places that depend on the rows alone.

A row that is added or deleted changes the chunk it is in; the cuts before and behind it stay where they were, and so
the next backup finds all other chunks stored already.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

_MASK = 0xFF  # a cut after one row of 256, where the chunk is large enough
_SMALLEST, _LARGEST = 128 << 10, 1 << 20
NULL = b"\\N"
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_PLAIN = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


@dataclass(frozen=True, slots=True)
class Cut:
    """A chunk of rows; `first` and `last` are the first columns of its first and last row, as written."""

    octets: bytes
    rows: int
    first: bytes
    last: bytes


class RowCutter:
    """Takes the octets of a COPY as they come."""

    def __init__(self) -> None:
        self._rest = b""
        self._lines: list[bytes] = []
        self._size = 0
        self._digest = hashlib.sha256()
        self.rows = 0
        self.octets = 0

    def feed(self, data: bytes) -> Iterator[Cut]:
        """The chunks that are complete."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._lines.append(line)
            self._size += len(line) + 1
            full = self._size >= _SMALLEST and not zlib.crc32(line) & _MASK
            if full or self._size >= _LARGEST:
                yield self._cut()

    def finish(self) -> Iterator[Cut]:
        """What is left."""
        if self._rest:
            raise ValueError("the last row has no end")
        if self._lines:
            yield self._cut()

    @property
    def sha256(self) -> str:
        """Of everything, hex."""
        return self._digest.hexdigest()

    def _cut(self) -> Cut:
        lines, self._lines, self._size = self._lines, [], 0
        octets = b"\n".join(lines) + b"\n"
        self._digest.update(octets)
        self.rows += len(lines)
        self.octets += len(octets)
        return Cut(octets, len(lines), first_field(lines[0]), first_field(lines[-1]))


def first_field(line: bytes) -> bytes:
    """Cut to what a manifest takes."""
    return line.partition(b"\t")[0][:200]


def split_rows(octets: bytes) -> list[list[bytes]]:
    """Fields as written: NULL is backslash-N, others may hold escapes."""
    return [line.split(b"\t") for line in octets.split(b"\n")[:-1]]


def unescape(field: bytes) -> str | None:
    """The value of a text field; None: NULL. UnicodeDecodeError for what Postgres did not write."""
    if field == NULL:
        return None
    if b"\\" in field:
        field = _ESCAPE.sub(lambda match: _PLAIN.get(match[1], match[1]), field)
    return field.decode()


def bytea(field: bytes) -> bytes:
    """The octets of a bytea field, written as two backslashes, x and hex. ValueError for anything else."""
    if not field.startswith(b"\\\\x"):
        raise ValueError("not a bytea")
    return bytes.fromhex(field[3:].decode("ascii"))
