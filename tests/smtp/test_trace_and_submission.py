"""Trace fields, and what submission puts right in a header."""

from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailraven.smtp.received import (
    Hop,
    count_received,
    protocol,
    received,
    rfc5322_date,
    tcp_info,
)
from mailraven.smtp.submission import complete_header

WHEN = datetime(2026, 11, 1, 9, 5, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("extended", "tls", "authenticated", "smtputf8", "name"),
    [
        (False, False, False, False, "SMTP"),
        (True, False, False, False, "ESMTP"),
        (True, True, False, False, "ESMTPS"),
        (True, False, True, False, "ESMTPA"),
        (True, True, True, False, "ESMTPSA"),
        (True, False, False, True, "UTF8SMTP"),
        (True, True, True, True, "UTF8SMTPSA"),
    ],
)
def test_with_values(extended: bool, tls: bool, authenticated: bool, smtputf8: bool, name: str):
    assert protocol(Hop("h", "", "b", extended, tls, authenticated), smtputf8=smtputf8) == name


def test_received():
    hop = Hop("client.example", "192.0.2.7", "mx.example", True, True, False)
    assert received(hop, "abc.1", WHEN, recipient="a@b.example") == (
        b"Received: from client.example ([192.0.2.7])\r\n"
        b"\tby mx.example with ESMTPS id abc.1\r\n"
        b"\tfor <a@b.example>; Sun, 1 Nov 2026 09:05:07 +0000\r\n"
    )


@given(st.text())
def test_a_greeting_cannot_forge_a_header(helo: str):
    line = received(Hop(helo, "::1", "b", True, False, False), "i", WHEN)
    assert line.count(b"\r\n") == 2
    assert line.replace(b"\r\n", b"").isascii()


@pytest.mark.parametrize(
    ("ip", "text"),
    [
        ("192.0.2.1", "[192.0.2.1]"),
        ("::ffff:192.0.2.1", "[192.0.2.1]"),
        ("2001:db8::1", "[IPv6:2001:db8::1]"),
        ("fe80::1%eth0", "[IPv6:fe80::1]"),
        ("", "unknown"),
    ],
)
def test_tcp_info(ip: str, text: str):
    assert tcp_info(ip) == text


@given(
    st.datetimes(
        min_value=datetime(1990, 1, 1), timezones=st.sampled_from([UTC, timezone(timedelta(hours=-9, minutes=-30))])
    )
)
def test_dates_read_back(when: datetime):
    assert parsedate_to_datetime(rfc5322_date(when)) == when.replace(microsecond=0)


def test_hops_are_counted_in_the_header_as_fields():
    header = b"Received: a\r\nX: Received: no\r\nRECEIVED: b\r\n received: folded\r\n"
    assert count_received(header) == 2


def complete(message: bytes) -> bytes:
    return complete_header(message, date="D", message_id="i@h")


def test_a_complete_header_is_left_alone():
    message = b"Date: x\r\nMessage-ID: <y>\r\n\r\nBcc: body\r\n"
    assert complete(message) is message


def test_date_and_message_id_are_added_on_top():
    assert complete(b"From: a\r\n\r\nx") == b"Date: D\r\nMessage-ID: <i@h>\r\nFrom: a\r\n\r\nx"


def test_bcc_goes_with_its_folded_lines_and_nothing_else_does():
    message = b"Date: x\r\nBCC: a,\r\n\tb\r\nMessage-Id: <y>\r\nX-Bcc: c\r\nbcc : d\r\n\r\nBcc: body\r\n"
    assert complete(message) == b"Date: x\r\nMessage-Id: <y>\r\nX-Bcc: c\r\n\r\nBcc: body\r\n"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"\r\nbody\r\n", b"Date: D\r\nMessage-ID: <i@h>\r\n\r\nbody\r\n"),
        (b"just text\r\n", b"Date: D\r\nMessage-ID: <i@h>\r\n\r\njust text\r\n"),
        (b"", b"Date: D\r\nMessage-ID: <i@h>\r\n\r\n"),
        (b"Subject: x\r\n", b"Date: D\r\nMessage-ID: <i@h>\r\nSubject: x\r\n"),
        (
            b"Date: x\r\nMessage-ID: y\r\nBcc: z\r\n",
            b"Date: x\r\nMessage-ID: y\r\n",
        ),
    ],
)
def test_messages_without_a_proper_header(message: bytes, expected: bytes):
    assert complete(message) == expected
