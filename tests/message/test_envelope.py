import pytest

from mailraven.message import summarize

NOBODY = " NIL NIL NIL NIL NIL NIL"


def envelope(*lines):
    return summarize(b"".join(line + b"\r\n" for line in lines) + b"\r\nbody").envelope.decode("latin-1")


@pytest.mark.parametrize(
    ("value", "string"),
    [
        (b"plain", '"plain"'),
        (b"", '""'),
        (b'say "hi" \\', '"say \\"hi\\" \\\\"'),
        (b"tab\there", '"tab\there"'),
        (b"{5} ()", '"{5} ()"'),
        (b"gr\xfc\xdfe", "{5}\r\ngr\xfc\xdfe"),
        (b"bell\x07", "{5}\r\nbell\x07"),
        (b"del\x7f", "{4}\r\ndel\x7f"),
        (b"cr\rin it", "{8}\r\ncr\rin it"),
        (b"nul\0", '"nul"'),
        (b"folded\r\n over\r\n\tlines ", '"folded over\tlines"'),
        (b"=?utf-8?q?kept?=", '"=?utf-8?q?kept?="'),
        (b"x" * 1001, "{1001}\r\n" + "x" * 1001),
    ],
)
def test_strings_are_quoted_when_that_is_safe_and_literals_otherwise(value, string):
    assert envelope(b"Subject: " + value) == f"(NIL {string}{NOBODY} NIL NIL)"


def test_absent_fields_are_nil_and_empty_ones_empty():
    assert envelope(b"X: y") == f"(NIL NIL{NOBODY} NIL NIL)"
    assert envelope(b"Date:", b"Subject:", b"In-Reply-To:", b"Message-ID:") == f'("" ""{NOBODY} "" "")'


def test_sender_and_reply_to_default_to_from():
    anna, bob = '((NIL NIL "a" "x"))', '((NIL NIL "b" "x"))'
    assert envelope(b"From: a@x") == f"(NIL NIL {anna} {anna} {anna} NIL NIL NIL NIL NIL)"
    assert envelope(b"From: a@x", b"Sender:", b"Reply-To: ,") == f"(NIL NIL {anna} {anna} {anna} NIL NIL NIL NIL NIL)"
    assert envelope(b"From: a@x", b"Sender: b@x") == f"(NIL NIL {anna} {bob} {anna} NIL NIL NIL NIL NIL)"
    assert envelope(b"Sender: b@x") == f"(NIL NIL NIL {bob} NIL NIL NIL NIL NIL NIL)"


def test_groups():
    group = '((NIL NIL "g" NIL)(NIL NIL "a" "b")(NIL NIL NIL NIL)(NIL NIL "c" "d"))'
    assert envelope(b"To: g: a@b;, c@d") == f"(NIL NIL NIL NIL NIL {group} NIL NIL NIL NIL)"


def test_addresses_of_all_envelopes_share_one_allowance():
    part = b"--x\r\n\r\nTo: " + b"a@b," * 10_000 + b"\r\n\r\n\r\n"
    raw = b"Content-Type: multipart/digest; boundary=x\r\n\r\n" + part * 10
    assert summarize(raw).bodystructure.count(b'"a" "b"') == 50_000
