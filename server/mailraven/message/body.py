"""BODY, the non-extensible form, out of a stored BODYSTRUCTURE (RFC 9051 §7.5.2).

Kept apart from the message: FETCH BODY needs nothing but the stored wire form.
"""

import re

# One element with the space before it; of a literal only the start.
_ELEMENT = re.compile(rb' ?+(?:([()])|"(?:[^"\\]++|\\.)*+"|\{(\d++)\}\r\n|[^ ()"{]++)', re.DOTALL)
_FIELDS_OF_ALL = 7  # type, subtype, parameters, id, description, encoding, octets


def body_wire(bodystructure: bytes) -> bytes:
    """The same without extension data. Raises ValueError on what is no BODYSTRUCTURE of ours."""
    kept: list[bytes] = []
    if _body(bodystructure, 0, kept) != len(bodystructure):
        raise ValueError("octets after BODYSTRUCTURE")
    return b"".join(kept)


def _body(wire: bytes, position: int, kept: list[bytes]) -> int:
    """Copies the body that starts at `position`, returns where it ends. As deep as the tree, which parse() bounds."""
    kept.append(b"(")
    position += 1
    if wire[position : position + 1] == b"(":
        while wire[position : position + 1] == b"(":
            position = _body(wire, position, kept)
        position = _copy(wire, position, 1, kept)
    else:
        position = _copy(wire, position, _FIELDS_OF_ALL, kept)
        following = wire[position : position + 2]
        if following == b" (":  # message/rfc822: envelope, body, lines
            position = _copy(wire, position, 1, kept)
            kept.append(b" ")
            position = _body(wire, position + 1, kept)
            position = _copy(wire, position, 1, kept)
        elif following[1:].isdigit():  # text: lines
            position = _copy(wire, position, 1, kept)
    while wire[position : position + 1] != b")":
        position = _skip(wire, position)
    kept.append(b")")
    return position + 1


def _copy(wire: bytes, position: int, count: int, kept: list[bytes]) -> int:
    end = position
    for _ in range(count):
        end = _skip(wire, end)
    kept.append(wire[position:end])
    return end


def _skip(wire: bytes, position: int) -> int:
    """The end of the string, number, NIL or parenthesised list at `position`."""
    depth = 0
    while True:
        found = _ELEMENT.match(wire, position)
        if found is None:
            raise ValueError("not a BODYSTRUCTURE")
        position = found.end()
        if found[2] is not None:
            position += int(found[2])
        elif found[1] is not None:
            depth += 1 if found[1] == b"(" else -1
        if depth <= 0:
            return position
