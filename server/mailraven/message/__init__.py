"""Messages as octets: MIME tree, ENVELOPE, BODYSTRUCTURE, sections, decoded text. Pure; raises on no input.

RFC 5322, RFC 2045-2049, RFC 2183, RFC 9051 §6.4.5 and §7.5.2.
"""

from mailraven.message.address import Address, addresses
from mailraven.message.body import body_wire
from mailraven.message.date import parse_date
from mailraven.message.header import header_fields, split_header, unfold
from mailraven.message.section import Section, SectionText, extract
from mailraven.message.summary import Summary, summarize
from mailraven.message.text import preview, search_text
from mailraven.message.tree import Kind, Part, parse, part_at
from mailraven.message.words import decode_words, fold

__all__ = [
    "Address",
    "Kind",
    "Part",
    "Section",
    "SectionText",
    "Summary",
    "addresses",
    "body_wire",
    "decode_words",
    "extract",
    "fold",
    "header_fields",
    "parse",
    "parse_date",
    "part_at",
    "preview",
    "search_text",
    "split_header",
    "summarize",
    "unfold",
]
