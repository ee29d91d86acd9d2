"""Small messages of our own making and what is to be said of each (tests/data/messages).

expected.json was read line by line when it was made, and is compared with Dovecot's answers where mail is well-formed.
"""

import json
from pathlib import Path

import pytest

from mailraven.message import Section, body_wire, extract, parse, preview, search_text, summarize

MESSAGES = Path(__file__).parents[1] / "data" / "messages"
EXPECTED = json.loads((MESSAGES / "expected.json").read_text())
NAMES = sorted(EXPECTED)


def test_every_message_has_its_expectation():
    assert sorted(path.stem for path in MESSAGES.glob("*.eml")) == NAMES


def test_the_messages_kept_their_line_ends():
    assert (MESSAGES / "plain.eml").read_bytes().count(b"\r\n") == 10
    assert b"\r" not in (MESSAGES / "bare-lf.eml").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_message(name, wire):
    raw = (MESSAGES / f"{name}.eml").read_bytes()
    expected = EXPECTED[name]
    summary = summarize(raw)
    assert summary.envelope.decode("latin-1") == expected["envelope"]
    assert summary.bodystructure.decode("latin-1") == expected["bodystructure"]
    assert body_wire(summary.bodystructure).decode("latin-1") == expected["body"]
    assert (summary.sent_at.isoformat() if summary.sent_at else None) == expected["sent_at"]
    assert (summary.subject, summary.from_) == (expected["subject"], expected["from"])
    assert (summary.to, summary.cc) == (expected["to"], expected["cc"])
    assert preview(raw) == expected["preview"]
    assert search_text(raw)[1] == expected["text"]
    wire.check_envelope(wire.read(summary.envelope))
    wire.check_body(wire.read(summary.bodystructure))
    wire.check_body(wire.read(body_wire(summary.bodystructure)), extensible=False)


@pytest.mark.parametrize("name", NAMES)
def test_parts_lie_within_each_other_and_cover_the_message(name):
    raw = (MESSAGES / f"{name}.eml").read_bytes()
    tree = parse(raw)
    assert (tree.start, tree.end) == (0, len(raw))
    assert extract(raw, Section(text="HEADER")) + extract(raw, Section(text="TEXT")) == raw
    pending = [tree]
    while pending:
        part = pending.pop()
        assert part.start <= part.body <= part.end
        position = part.body
        for child in part.children:
            assert position <= child.start <= child.end <= part.end
            position = child.end
        pending += part.children
