"""Messages made of JSON: what comes out is what went in, and nothing that came in ends a line."""

import base64
import email
import email.policy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mailraven.adminapi.mail.composing import BadAttachment, compose
from mailraven.adminapi.mail.reading import locate, read
from mailraven.adminapi.mail.transfer_encoding import decoder
from mailraven_api.message import Send

STAMP = {"date": "Sat, 1 Aug 2026 08:00:00 +0000", "message_id": "<m@mail.test>", "boundary": "=_b"}


def made(**fields) -> bytes:
    return compose(Send.model_validate({"from": "anna@example.org", "to": ["ben@far.test"], **fields}), **STAMP).raw


def names(raw: bytes) -> list[str]:
    return [field.name for field in read(raw).headers]


def content(raw: bytes, section: str) -> bytes:
    place = locate(raw, section)
    assert place is not None
    decoding = decoder(place.encoding)
    return decoding.feed(raw[place.start : place.end]) + decoding.end()


def test_a_plain_message() -> None:
    raw = made(subject="hello", text="one\ntwo\r\nthree", cc=[{"name": "Carl, Jr.", "address": "c@far.test"}])
    assert raw == (
        b"Date: Sat, 1 Aug 2026 08:00:00 +0000\r\nFrom: anna@example.org\r\nTo: ben@far.test\r\n"
        b'Cc: "Carl, Jr." <c@far.test>\r\nSubject: hello\r\nMessage-ID: <m@mail.test>\r\nMIME-Version: 1.0\r\n'
        b"Content-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
        b"one\r\ntwo\r\nthree\r\n"
    )


def test_bcc_stands_in_no_field() -> None:
    message = Send.model_validate({"from": "anna@example.org", "bcc": ["secret@far.test"], "text": "x"})
    composed = compose(message, **STAMP)
    assert b"secret" not in composed.raw
    assert composed.bcc == b"Bcc: secret@far.test\r\n"
    assert b"\r\nTo: undisclosed-recipients:;\r\n" in composed.raw


def test_text_html_inline_image_and_files() -> None:
    image, file = bytes(range(256)) * 40, b"\0" * 1000
    raw = made(
        text="Grüße",
        html='<p>Grüße <img src="cid:logo@x"></p>',
        attachments=[
            {
                "name": "logo.png",
                "type": "image/png",
                "content": base64.b64encode(image).decode(),
                "content_id": "logo@x",
            },
            {"name": "räksmörgås " * 8 + ".bin", "content": base64.b64encode(file).decode()},
            {"name": "fwd.eml", "type": "message/rfc822", "content": ""},
        ],
    )
    shown = read(raw)
    assert [(part.section, part.type, part.disposition) for part in shown.parts] == [
        ("1.1", "text/plain", None),
        ("1.2.1", "text/html", None),
        ("1.2.2", "image/png", "inline"),
        ("2", "application/octet-stream", "attachment"),
        ("3", "application/octet-stream", "attachment"),
    ]
    assert [part.name for part in shown.parts[2:]] == ["logo.png", ("räksmörgås " * 8).strip() + " .bin", "fwd.eml"]
    assert (shown.text[0].text, shown.html[0].section) == ("Grüße\r\n", "1.2.1")
    assert (content(raw, "1.2.2"), content(raw, "2")) == (image, file)
    theirs = email.message_from_bytes(raw, policy=email.policy.default)  # somebody else's parser agrees
    assert [part.get_content_type() for part in theirs.walk() if not part.is_multipart()] == [
        part.type for part in shown.parts
    ]
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998


def test_what_is_not_base64_is_refused() -> None:
    for bad in ("=", "a", "????", "YQ==\n", "YQ"):
        with pytest.raises(BadAttachment):
            made(attachments=[{"name": "x", "content": bad}])


INJECTIONS = ["a\r\nBcc: evil@far.test", "a\nb", "a\rb", "a\x00b", "a\x0bb", "a\x85b", "a\u2028b"]


@pytest.mark.parametrize("text", INJECTIONS)
@pytest.mark.parametrize(
    "fields",
    [
        lambda text: {"subject": text},
        lambda text: {"to": [{"address": "b@far.test", "name": text}]},
        lambda text: {"to": [text]},
        lambda text: {"from": text},
        lambda text: {"attachments": [{"name": text, "content": ""}]},
        lambda text: {"attachments": [{"name": "x", "type": f"text/{text}", "content": ""}]},
        lambda text: {"attachments": [{"name": "x", "content": "", "content_id": f"{text}@x"}]},
        lambda text: {"in_reply_to": f"<{text}@x>"},
        lambda text: {"references": [f"<{text}@x>"]},
    ],
)
def test_nothing_that_ends_a_line_gets_into_a_header(fields, text: str) -> None:
    with pytest.raises(ValidationError):
        made(**fields(text))


HEADER_TEXT = st.text(
    st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\u2028\u2029"), max_size=200
)


@settings(deadline=None, max_examples=150)
@given(subject=HEADER_TEXT, name=HEADER_TEXT, file=HEADER_TEXT.filter(bool), text=st.text(max_size=300))
def test_any_text_comes_back_and_no_field_is_added(subject: str, name: str, file: str, text: str) -> None:
    if any(c == "\0" or "\ud800" <= c <= "\udfff" for c in text):
        return
    raw = made(
        subject=subject,
        to=[{"address": "b@far.test", "name": name}],
        text=text,
        attachments=[{"name": file, "content": "eA=="}],
    )
    shown = read(raw)
    assert names(raw) == ["Date", "From", "To", "Subject", "Message-ID", "MIME-Version", "Content-Type"]
    assert shown.subject.strip() == subject.strip()
    assert [(one.name.split(), one.address) for one in shown.to] == [(name.split(), "b@far.test")]
    assert content(raw, "1").decode().split() == text.split()
    assert content(raw, "2") == b"x"
    assert raw.isascii()
    assert b"\r" not in raw.replace(b"\r\n", b"")
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert max(map(len, raw.split(b"\r\n"))) <= 998
