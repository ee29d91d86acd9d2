"""Header fields as octets: where a header ends, its fields, their unfolded values (RFC 5322 §2.2).

A line ends with LF; a CR before it belongs to the line end. A line without a colon is a field without a value.
"""

import re
from collections.abc import Iterator
from itertools import islice

from mailraven.message.limits import MAX_FIELD_OCTETS, MAX_FIELDS, Budget

_END = re.compile(rb"\n\r?\n")
_FIELD = re.compile(rb"([^:\n]*+)[^\n]*+\n?+(?:[ \t][^\n]*+\n?+)*+")
_FOLD = re.compile(rb"\r?\n")

# The fields that ENVELOPE and BODYSTRUCTURE are made of. A block starts with LF, so that each field does.
_KNOWN_FIELD = re.compile(
    rb"\n(date|subject|from|sender|reply-to|to|cc|bcc|in-reply-to|message-id|"
    rb"content-(?:type|transfer-encoding|id|description|md5|disposition|language|location))"
    rb"[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)",
    re.IGNORECASE,
)
_ADDRESS_FIELDS = frozenset((b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc"))


def header_end(raw: bytes, start: int = 0, end: int | None = None) -> int:
    """Offset just after the empty line that ends the header starting at `start`; `end` when there is none."""
    if end is None:
        end = len(raw)
    if start == 0:
        if raw.startswith(b"\r\n"):
            return min(2, end)
        if raw.startswith(b"\n"):
            return min(1, end)
        found = _END.search(raw, 0, end)
    else:
        # The LF before the header counts: it makes a header of the empty line alone.
        found = _END.search(raw, start - 1, end)
    return found.end() if found else end


def split_header(raw: bytes) -> tuple[bytes, bytes]:
    """The header with the empty line that ends it, and the body."""
    end = header_end(raw)
    return raw[:end], raw[end:]


def field_blocks(header: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(name, the whole field with its folds and line ends) of the first MAX_FIELDS fields."""
    for found in islice(_FIELD.finditer(header), MAX_FIELDS):
        if found[0] in (b"\r\n", b"\n", b""):  # the empty line
            return
        yield found[1].strip(), found[0]


def header_fields(header: bytes) -> list[tuple[bytes, bytes]]:
    """(name, value) of each field in order; the value still folded, without the line end."""
    return [(name, block.partition(b":")[2].strip()) for name, block in field_blocks(header)]


def known_fields(block: bytes, budget: Budget) -> dict[bytes, bytes]:
    """Lower-case name to unfolded value; `block` is the header after one LF.

    Of a field that may be there only once the first counts, as mail clients show it; address
    fields that are repeated are read as one list (RFC 5322 §3.6 forbids both).
    """
    fields: dict[bytes, bytes] = {}
    repeated: dict[bytes, list[bytes]] = {}
    if len(block) <= MAX_FIELD_OCTETS and budget.fields > 0:
        found = _KNOWN_FIELD.findall(block)
    else:
        found = [field.groups() for field in islice(_KNOWN_FIELD.finditer(block), max(budget.fields, 0))]
    budget.fields -= len(found)
    for name, value in found:
        name = name.lower()
        if name not in fields:
            fields[name] = unfold(value)
        elif name in _ADDRESS_FIELDS:
            repeated.setdefault(name, [fields[name]]).append(value)
    for name, values in repeated.items():
        fields[name] = unfold(b",".join(values))
    return fields


def unfold(value: bytes) -> bytes:
    """The value on one line, without NUL and surrounding white space, at most MAX_FIELD_OCTETS (RFC 5322 §2.2.3)."""
    if len(value) > MAX_FIELD_OCTETS:
        value = value[:MAX_FIELD_OCTETS]
    if b"\n" in value:
        value = _FOLD.sub(b"", value)
    if b"\0" in value:
        value = value.replace(b"\0", b"")
    return value.strip(b" \t\r")
