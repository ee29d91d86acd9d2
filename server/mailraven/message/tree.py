"""The MIME tree of a message: parts as offsets into the untouched octets (RFC 2045, RFC 2046).

Reads any octets without raising, iteratively, within the limits of limits.py.
"""

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import pairwise

from mailraven.message.header import header_end, known_fields
from mailraven.message.limits import MAX_LEVELS, Budget
from mailraven.message.mime import MESSAGE_RFC822, OCTET_STREAM, TEXT_PLAIN, MediaType, media_type, param


class Kind(IntEnum):
    LEAF = 0
    MULTIPART = 1
    MESSAGE = 2


@dataclass(slots=True)
class Part:
    """A message or body part. raw[start:body] is its header with the empty line, raw[body:end] its body."""

    start: int
    body: int
    end: int
    media_type: MediaType
    fields: dict[bytes, bytes]  # known fields, lower-case name to unfolded value
    kind: Kind = Kind.LEAF
    # of a multipart its parts; of message/rfc822 the one message in it
    children: list["Part"] = field(default_factory=list)
    lines: int = 0  # line ends in the body; counted for text and message/rfc822 only

    @property
    def octets(self) -> int:
        return self.end - self.body

    @property
    def is_text(self) -> bool:
        return self.media_type.type.lower() == b"text"


# RFC 2046 §5.1.1: a line that starts with the boundary is a delimiter, whatever follows. Yet a character that
# may be part of a boundary means a longer one, of a multipart within: "Apple-Mail-1" and "Apple-Mail-10".
_BOUNDARY_CHARS = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'()+_,-./:=?")
# A line that only starts like the boundary costs about as much as scanning this many octets.
_NEAR_MISS = 512
_CONTAINERS = {b"rfc822": Kind.MESSAGE, b"global": Kind.MESSAGE}


def parse(raw: bytes) -> Part:
    """The tree of the whole message. Never raises."""
    return parse_within(raw, Budget())


def parse_within(raw: bytes, budget: Budget) -> Part:
    """The same, counting down `budget`."""
    budget.parts -= 1
    root = _entity(raw, 0, len(raw), TEXT_PLAIN, budget)
    counted = [root]
    if root.kind:
        pending = deque([(root, 1)])
        while pending:
            part, level = pending.popleft()
            _fill(raw, part, level, budget)
            counted += part.children
            pending += [(child, level + 1) for child in part.children if child.kind]
    _count_lines(raw, counted)
    return root


def _entity(raw: bytes, start: int, end: int, default: MediaType, budget: Budget) -> Part:
    body = header_end(raw, start, end)
    read_to = min(body, start + budget.header_octets)
    budget.header_octets -= read_to - start
    fields = known_fields(b"\n" + raw[start:read_to], budget)
    media = media_type(fields.get(b"content-type"), default, budget)
    part = Part(start, body, end, media, fields)
    kind = media.type.lower()
    if kind == b"multipart":
        part.kind = Kind.MULTIPART
    elif kind == b"message":
        part.kind = _CONTAINERS.get(media.subtype.lower(), Kind.LEAF)
    return part


def _fill(raw: bytes, part: Part, level: int, budget: Budget) -> None:
    """Finds the children of a container, or makes it a leaf."""
    if level >= MAX_LEVELS or budget.parts <= 0:
        _make_leaf(part, OCTET_STREAM)
    elif part.kind is Kind.MESSAGE:
        budget.parts -= 1
        part.children = [_entity(raw, part.body, part.end, TEXT_PLAIN, budget)]
    else:
        digest = part.media_type.subtype.lower() == b"digest"
        default = MESSAGE_RFC822 if digest else TEXT_PLAIN  # RFC 2046 §5.1.5
        extents = _extents(raw, part, budget)
        part.children = [_entity(raw, start, end, default, budget) for start, end in extents]
        if not extents:
            # Nothing to show as parts, but something to read: RFC 2045 §5.2's way out.
            _make_leaf(part, TEXT_PLAIN if budget.scanned_octets > 0 else OCTET_STREAM)


def _make_leaf(part: Part, shown_as: MediaType) -> None:
    part.kind = Kind.LEAF
    part.media_type = shown_as


def _extents(raw: bytes, part: Part, budget: Budget) -> list[tuple[int, int]]:
    """Where the parts of a multipart start and end (RFC 2046 §5.1.1)."""
    boundary = (param(part.media_type.params, b"boundary") or b"").rstrip(b" \t")
    if not boundary or part.body >= part.end:
        return []
    delimiter = b"\n--" + boundary
    end = part.end
    # The line end before a delimiter belongs to it; the first one may use that of the header's empty line.
    position = part.body - 1
    extents: list[tuple[int, int]] = []
    opened = -1
    while True:
        found = raw.find(delimiter, position, end) if budget.scanned_octets > 0 else -1
        budget.scanned_octets -= (found if found >= 0 else end) - position
        if found < 0:
            break
        after = found + len(delimiter)
        closing = raw[after : after + 2] == b"--" and after + 2 <= end
        next_octet = after + 2 if closing else after
        if next_octet < end and raw[next_octet] in _BOUNDARY_CHARS:
            budget.scanned_octets -= _NEAR_MISS
            position = after
            continue
        if opened >= 0:
            extents.append((opened, max(opened, found - 1 if raw[found - 1] == 0x0D else found)))
            budget.parts -= 1
        line_end = raw.find(b"\n", next_octet, end)
        if closing or line_end < 0:
            return extents
        opened = line_end + 1
        position = line_end
        if budget.parts <= 1:
            break
    if opened >= 0:
        extents.append((opened, end))
        budget.parts -= 1
    return extents


def _count_lines(raw: bytes, parts: list[Part]) -> None:
    """Counts each octet once, however deep messages lie within messages."""
    counted = [part for part in parts if part.kind is Kind.MESSAGE or part.is_text]
    if not any(part.kind is Kind.MESSAGE for part in counted):
        for part in counted:
            part.lines = raw.count(b"\n", part.body, part.end)
        return
    offsets = sorted({offset for part in counted for offset in (part.body, part.end)})
    lines_before = [0]
    for start, end in pairwise(offsets):
        lines_before.append(lines_before[-1] + raw.count(b"\n", start, end))
    for part in counted:
        first, last = bisect_left(offsets, part.body), bisect_left(offsets, part.end)
        part.lines = lines_before[last] - lines_before[first]


def part_at(root: Part, path: tuple[int, ...]) -> Part | None:
    """The part that a section's numbers name (RFC 9051 §6.4.5.1); () is the message itself."""
    part = root
    numbered: Part | None = root  # whose parts the next number counts
    for number in path:
        if numbered is None:
            return None
        if numbered.kind is Kind.MULTIPART:
            if not 1 <= number <= len(numbered.children):
                return None
            part = numbered.children[number - 1]
        elif number == 1:
            part = numbered  # a message that is not a multipart has its body as part 1
        else:
            return None
        numbered = _numbered(part)
    return part


def _numbered(part: Part) -> Part | None:
    if part.kind is Kind.MESSAGE:
        return part.children[0]
    return part if part.kind is Kind.MULTIPART else None
