"""Section specifications of FETCH (RFC 9051 §6.4.5, §9 section): parse and render."""

from __future__ import annotations

from mailraven.imap import strings
from mailraven.imap.errors import SyntaxProblem
from mailraven.imap.lexer import Lexer
from mailraven.message.section import Section, SectionText

_TEXTS: dict[str, SectionText] = {
    "HEADER": "HEADER",
    "HEADER.FIELDS": "HEADER.FIELDS",
    "HEADER.FIELDS.NOT": "HEADER.FIELDS.NOT",
    "MIME": "MIME",
    "TEXT": "TEXT",
}
_MAX_PARTS = 100
_MAX_FIELDS = 200
_MAX_FIELD_NAME = 200


def parse_section(lexer: Lexer) -> Section:
    """section = "[" [section-spec] "]".

    section-spec    = section-msgtext / (section-part ["." section-text])
    section-part    = nz-number *("." nz-number)
    section-msgtext = "HEADER" / "HEADER.FIELDS" [".NOT"] SP header-list / "TEXT"
    section-text    = section-msgtext / "MIME"
    """
    lexer.expect(b"[")
    if lexer.take(b"]"):
        return Section((), None, ())
    path: list[int] = []
    while lexer.at_digit():
        if len(path) >= _MAX_PARTS:
            raise SyntaxProblem("a section names too many levels of parts")
        path.append(lexer.nz_number())
        if not lexer.take(b"."):
            section = Section(tuple(path), None, ())
            break
    else:
        section = _named(lexer, tuple(path))
    lexer.expect(b"]")
    return section


def render_section(section: Section) -> bytes:
    """As the response names it, brackets included."""
    words = [str(number) for number in section.path]
    if section.text is not None:
        words.append(section.text)
    spec = ".".join(words).encode("ascii")
    if section.fields:
        names = b" ".join(strings.astring(name.encode("ascii")) for name in section.fields)
        spec += b" (%b)" % names
    return b"[%b]" % spec


def _named(lexer: Lexer, path: tuple[int, ...]) -> Section:
    name = lexer.label()
    text = _TEXTS.get(name)
    if text is None or (text == "MIME" and not path):
        raise SyntaxProblem("expected HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT or, of a part, MIME")
    if not text.startswith("HEADER.FIELDS"):
        return Section(path, text, ())
    lexer.space()
    return Section(path, text, tuple(lexer.parenthesised(lambda: _field(lexer), _MAX_FIELDS)))


def _field(lexer: Lexer) -> str:
    # header-fld-name = astring; it is echoed, so only what is a TEXT-CHAR and no CTL
    octets = lexer.astring()
    if not octets or len(octets) > _MAX_FIELD_NAME:
        raise SyntaxProblem("a header field name is empty or too long")
    name = octets.decode("ascii", "replace")
    if not (name.isascii() and name.isprintable()):
        raise SyntaxProblem("a header field name is not printable US-ASCII")
    return name
