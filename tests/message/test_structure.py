import pytest

from mailraven.message import body_wire, summarize

NOTHING = "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"
TEXT = '"text" "plain" ("charset" "us-ascii") NIL NIL "7bit"'


def structure(raw):
    return summarize(raw).bodystructure.decode("latin-1")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"", f"({TEXT} 3 1 NIL NIL NIL NIL)"),
        (
            b"Content-Type: TEXT/Html; x=y",
            '("TEXT" "Html" ("x" "y" "charset" "us-ascii") NIL NIL "7bit" 3 1 NIL NIL NIL NIL)',
        ),
        (b"Content-Type: image/png", '("image" "png" NIL NIL NIL "7bit" 3 NIL NIL NIL NIL)'),
        (b"Content-Type: nonsense", f"({TEXT} 3 1 NIL NIL NIL NIL)"),
        (b"Content-MD5: abc=", f'({TEXT} 3 1 "abc=" NIL NIL NIL)'),
        (b"Content-Language: en", f'({TEXT} 3 1 NIL NIL ("en") NIL)'),
        (b"Content-Language: en, de", f'({TEXT} 3 1 NIL NIL ("en" "de") NIL)'),
        (b"Content-Location: a b", f'({TEXT} 3 1 NIL NIL NIL "a b")'),
        (b"Content-Disposition: inline", f'({TEXT} 3 1 NIL ("inline" NIL) NIL NIL)'),
        (b'Content-Disposition: x; a="b"', f'({TEXT} 3 1 NIL ("x" ("a" "b")) NIL NIL)'),
        (b"Content-ID: <i>", '("text" "plain" ("charset" "us-ascii") "<i>" NIL "7bit" 3 1 NIL NIL NIL NIL)'),
        (
            b"Content-Transfer-Encoding: 8BIT",
            '("text" "plain" ("charset" "us-ascii") NIL NIL "8BIT" 3 1 NIL NIL NIL NIL)',
        ),
        (b'Content-Type: a/b; n="\xfc"', '("a" "b" ("n" {1}\r\n\xfc) NIL NIL "7bit" 3 NIL NIL NIL NIL)'),
        (
            b"Content-Type: message/rfc822",
            f'("message" "rfc822" NIL NIL NIL "7bit" 3 {NOTHING} ({TEXT} 0 0 NIL NIL NIL NIL) 1 NIL NIL NIL NIL)',
        ),
        (b"Content-Type: message/partial", '("message" "partial" NIL NIL NIL "7bit" 3 NIL NIL NIL NIL)'),
    ],
)
def test_single_parts(header, expected):
    assert structure(header + b"\r\n\r\nx\r\n" if header else b"\r\nx\r\n") == expected


def test_a_multipart_has_its_own_extension_data():
    raw = (
        b"Content-Type: multipart/mixed; boundary=x; a=b\r\nContent-Disposition: inline\r\nContent-Language: en\r\n"
        b"Content-Location: l\r\n\r\n--x\r\n\r\na\r\n--x\r\n\r\nb\r\n--x--"
    )
    text = f"({TEXT} 1 0 NIL NIL NIL NIL)"
    assert structure(raw) == f'({text}{text} "mixed" ("boundary" "x" "a" "b") ("inline" NIL) ("en") "l")'


@pytest.mark.parametrize(
    ("extensible", "plain"),
    [
        ('("text" "plain" NIL NIL NIL "7bit" 3 1 NIL NIL NIL NIL)', '("text" "plain" NIL NIL NIL "7bit" 3 1)'),
        ('("a" "b" ("c" "(") NIL NIL "7bit" 3 "m" ("x" ("y" "z")) ("e") "l")', '("a" "b" ("c" "(") NIL NIL "7bit" 3)'),
        (
            '("a" "b" ("c" {2}\r\n)") NIL NIL {1}\r\nx 3 {2}\r\n(( NIL NIL NIL)',
            '("a" "b" ("c" {2}\r\n)") NIL NIL {1}\r\nx 3)',
        ),
        ('("a" "\\"\\\\" NIL NIL NIL "7bit" 3 NIL NIL NIL NIL)', '("a" "\\"\\\\" NIL NIL NIL "7bit" 3)'),
    ],
)
def test_body_is_bodystructure_without_extension_data(extensible, plain):
    assert body_wire(extensible.encode()).decode() == plain


def test_body_of_messages_within_multiparts():
    raw = (
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
        b"--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: )\r\n\r\nb\r\n--x--"
    )
    envelope = '(NIL ")" NIL NIL NIL NIL NIL NIL NIL NIL)'
    message = f'"message" "rfc822" NIL NIL NIL "7bit" 15 {envelope} ({TEXT} 1 0) 2'
    assert body_wire(summarize(raw).bodystructure).decode() == f'(({message}) "mixed")'


@pytest.mark.parametrize("wire", [b"", b"(", b"NIL", b'("a" "b")', b'("a" "b" NIL NIL NIL "7bit" 3) more', b"(((((("])
def test_what_is_no_bodystructure_is_refused(wire):
    with pytest.raises(ValueError, match="BODYSTRUCTURE"):
        body_wire(wire)
