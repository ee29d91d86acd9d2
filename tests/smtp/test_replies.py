"""Replies: the invariant of the catalogue, and that nothing quoted in one can break the line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailraven.smtp import replies
from mailraven.smtp.ehlo import ehlo_reply
from mailraven.smtp.reply import Reply

CATALOGUE = {name: value for name, value in vars(replies).items() if isinstance(value, Reply)}


@pytest.mark.parametrize("name", CATALOGUE)
def test_enhanced_codes_belong_to_their_codes(name: str):
    reply = CATALOGUE[name]
    assert reply.enhanced or reply.code == 354
    assert not reply.enhanced or int(reply.enhanced[0]) == reply.code // 100


@pytest.mark.parametrize(
    ("code", "enhanced"), [(550, "4.1.1"), (250, "5.0.0"), (99, ""), (600, ""), (550, "5.1"), (550, "5.1.1x")]
)
def test_a_reply_that_contradicts_itself_cannot_be_made(code: int, enhanced: str):
    with pytest.raises(ValueError, match="code"):
        Reply(code, enhanced, "x")


def test_lines():
    assert Reply(250, "2.0.0", "OK").render() == b"250 2.0.0 OK\r\n"
    assert Reply(250, "", "a\nb").render() == b"250-a\r\n250 b\r\n"
    assert Reply(550, "5.0.0", "a\nb").render() == b"550-5.0.0 a\r\n550 5.0.0 b\r\n"


@given(st.text())
def test_no_text_ends_a_line_or_makes_it_too_long(text: str):
    wire = Reply(550, "5.0.0", text).render()
    assert wire.endswith(b"\r\n")
    lines = wire[:-2].split(b"\r\n")
    assert len(lines) == text.count("\n") + 1
    for line in lines:
        assert len(line) <= 510
        assert not any(octet in line for octet in b"\r\n\0")
        line.decode()


def test_ehlo_offers_what_is_possible_now():
    plain = ehlo_reply("mx.test", "c", max_size=1000, starttls=True, mechanisms=())
    assert "STARTTLS" in plain.text.split("\n")
    assert "SIZE 1000" in plain.text.split("\n")
    assert "AUTH" not in plain.text
    secure = ehlo_reply("mx.test", "c", max_size=1000, starttls=False, mechanisms=("PLAIN", "LOGIN"))
    assert "AUTH PLAIN LOGIN" in secure.text.split("\n")
    assert "STARTTLS" not in secure.text
