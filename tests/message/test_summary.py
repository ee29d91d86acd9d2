from datetime import timedelta

from mailraven.message import summarize

RAW = (
    b"Received: from a.example by mx.example; Mon, 02 Jan 2023 15:04:05 +0000\r\n"
    b"From: =?utf-8?q?Ren=C3=A9e?= <Renee@X.example>\r\nTo: Ann@y.example\r\nto: bob@y.example\r\n"
    b"Cc: Team <t@y.example>\r\nBcc: Hidden <h@y.example>\r\nSubject: STRASSE und =?utf-8?q?Stra=C3=9Fe?=\r\n"
    b"Date: Mon, 02 Jan 2023 15:04:05 +0200\r\nMessage-ID: <Id.1@X.example>\r\n\r\nbody\r\n"
)


def test_text_for_search_is_decoded_and_folded():
    summary = summarize(RAW)
    assert summary.from_ == "renée <renee@x.example>"
    assert summary.to == "ann@y.example, bob@y.example"
    assert summary.cc == "team <t@y.example>"
    assert summary.bcc == "hidden <h@y.example>"
    assert summary.subject == "strasse und strasse"


def test_message_id_is_kept_as_it_is():
    assert summarize(RAW).message_id == "<Id.1@X.example>"
    assert summarize(b"Message-ID:\r\n <folded@x>\r\n\r\n").message_id == "<folded@x>"
    assert len(summarize(b"Message-ID: " + b"x" * 5_000).message_id) == 998


def test_the_date_keeps_its_zone():
    assert summarize(RAW).sent_at.utcoffset() == timedelta(hours=2)
    assert summarize(b"Date: someday\r\n\r\n").sent_at is None


def test_an_empty_message_has_a_summary():
    summary = summarize(b"")
    assert summary.envelope == b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"
    assert summary.bodystructure == b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL)'
    assert (summary.sent_at, summary.message_id, summary.subject, summary.to) == (None, "", "", "")


def test_no_text_has_a_nul():
    names = (b"From", b"To", b"Cc", b"Bcc", b"Subject", b"Message-ID")
    raw = b"".join(name + b": a\0=?utf-8?q?=00b?=\0\r\n" for name in names)
    summary = summarize(raw)
    for text in (summary.from_, summary.to, summary.cc, summary.bcc, summary.subject, summary.message_id):
        assert text
        assert "\0" not in text
        assert text.encode()
    assert b"\0" not in summary.envelope


def test_an_address_torn_by_comments_is_searchable_in_one_piece() -> None:
    summary = summarize(b"From: <user (one)@ (two) Domain.org>\r\nTo: a @ b.test, c@d.test\r\n\r\n")
    assert "user@domain.org" in summary.from_
    assert "(one)" in summary.from_
    assert "a@b.test" in summary.to
