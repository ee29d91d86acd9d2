"""BODY[section]: which octets of a message a section names (RFC 9051 §6.4.5.1)."""

from dataclasses import dataclass
from typing import Literal

from mailraven.message.header import field_blocks, header_end
from mailraven.message.tree import Kind, Part, parse, part_at

SectionText = Literal["TEXT", "HEADER", "HEADER.FIELDS", "HEADER.FIELDS.NOT", "MIME"]


@dataclass(frozen=True, slots=True)
class Section:
    """path: part numbers; text: what of the part, None for its body (of the message: all); fields: names."""

    path: tuple[int, ...] = ()
    text: SectionText | None = None
    fields: tuple[str, ...] = ()


def extract(raw: bytes, section: Section, tree: Part | None = None) -> bytes | None:
    """The octets, or None when there is no such part. `tree` saves parsing again."""
    if not section.path:
        return _of_message(raw, 0, header_end(raw) if tree is None else tree.body, len(raw), section)
    part = part_at(tree or parse(raw), section.path)
    if part is None:
        return None
    if section.text is None:
        return raw[part.body : part.end]
    if section.text == "MIME":
        return raw[part.start : part.body]
    # RFC 9051 §6.4.5.1: the others are for message/rfc822 and message/global only.
    if part.kind is not Kind.MESSAGE:
        return None
    message = part.children[0]
    return _of_message(raw, message.start, message.body, message.end, section)


def _of_message(raw: bytes, start: int, body: int, end: int, section: Section) -> bytes | None:
    if section.text is None:
        return raw[start:end]
    if section.text == "TEXT":
        return raw[body:end]
    header = raw[start:body]
    if section.text == "HEADER":
        return header
    if section.text == "MIME":
        return None
    return _chosen_fields(header, section)


def _chosen_fields(header: bytes, section: Section) -> bytes:
    names = {name.encode("utf-8", "surrogateescape").lower() for name in section.fields}
    wanted = section.text == "HEADER.FIELDS"
    chosen = []
    read = 0
    for name, block in field_blocks(header):
        read += len(block)
        if (name.lower() in names) is wanted:
            chosen.append(block)
    if chosen and not chosen[-1].endswith(b"\n"):
        chosen.append(b"\r\n")
    rest = b"" if wanted else header[read:]  # the empty line, or more fields than are looked at
    if rest not in (b"", b"\n"):
        chosen.append(rest)
    if not rest.endswith((b"\n\r\n", b"\n\n")) and rest != b"\r\n":
        chosen.append(b"\r\n")  # RFC 9051 §6.4.5.1: the empty line is always there
    return b"".join(chosen)
