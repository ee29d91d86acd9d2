"""Section specifications."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailraven.imap.errors import SyntaxProblem
from mailraven.imap.lexer import Lexer
from mailraven.imap.section import parse_section, render_section
from mailraven.message.section import Section

names = st.lists(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=9), min_size=1)
paths = st.lists(st.integers(1, 4294967295), max_size=6).map(tuple)
sections = st.one_of(
    st.builds(Section, paths, st.sampled_from([None, "TEXT", "HEADER"]), st.just(())),
    st.builds(Section, paths.filter(len), st.just("MIME"), st.just(())),
    st.builds(Section, paths, st.sampled_from(["HEADER.FIELDS", "HEADER.FIELDS.NOT"]), names.map(tuple)),
)


@given(sections)
@settings(max_examples=200, deadline=None)
def test_rendering_and_parsing_are_inverse(section: Section) -> None:
    lexer = Lexer([render_section(section)])
    assert parse_section(lexer) == section
    lexer.end()


@pytest.mark.parametrize(
    ("text", "section"),
    [
        (b"[]", Section((), None, ())),
        (b"[text]", Section((), "TEXT", ())),
        (b"[1.2.Mime]", Section((1, 2), "MIME", ())),
        (b"[4]", Section((4,), None, ())),
        (b'[header.fields (From "To")]', Section((), "HEADER.FIELDS", ("From", "To"))),
    ],
)
def test_sections(text: bytes, section: Section) -> None:
    assert parse_section(Lexer([text])) == section


@pytest.mark.parametrize(
    "text",
    [
        b"[",
        b"[0]",
        b"[1.0]",
        b"[1.]",
        b"[.1]",
        b"[1..2]",
        b"[MIME]",
        b"[HEADER.FIELDS]",
        b"[HEADER.FIELDS ()]",
        b"[HEADER.FIELD (a)]",
        b"[TEXT.1]",
        b"[1.TEXT.2]",
        b"[01]",
        b"[4294967296]",
        b"[ 1]",
        b"[1 ]",
        b"[TEXT",
        b'[HEADER.FIELDS ("")]',
        b'[HEADER.FIELDS ("a\tb")]',
        b"[HEADER.FIELDS (" + b"x" * 201 + b")]",
        b"[" + b".".join([b"1"] * 101) + b"]",
        b"[HEADER.FIELDS (" + b" ".join([b"x"] * 201) + b")]",
    ],
)
def test_what_is_no_section(text: bytes) -> None:
    with pytest.raises(SyntaxProblem):
        parse_section(Lexer([text]))
