"""The composer of DSNs by itself: whatever goes in, a well-formed 7-bit multipart/report comes out. Pure."""

import email
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailraven.delivery.dsn import Action, Notification, Report, compose, cut_header

NOW = datetime(2024, 5, 16, 7, 8, 9, tzinfo=UTC)


def report(**fields) -> Report:
    return Report(
        **{
            "recipient": "bob@far.test",
            "action": Action.FAILED,
            "status": "5.1.1",
            "text": "550 5.1.1 no such user",
            "remote_said": True,
            "remote_mta": "mx.far.test [192.0.2.1]",
            **fields,
        }
    )


def render(*reports: Report, **fields) -> bytes:
    return compose(
        Notification(
            **{
                "reporting_mta": "mail.ours.test",
                "to": "alice@ours.test",
                "reports": reports or (report(),),
                "arrived_at": NOW,
                "now": NOW,
                "unique": "0123456789abcdef",
                **fields,
            }
        )
    )


def test_sample():
    assert render(header=b"Subject: greetings\r\n", envelope_id="E1").decode() == (
        "From: Mail Delivery System <postmaster@mail.ours.test>\r\n"
        "To: <alice@ours.test>\r\n"
        "Subject: Undelivered mail returned to sender\r\n"
        "Date: Thu, 16 May 2024 07:08:09 +0000\r\n"
        "Message-ID: <0123456789abcdef@mail.ours.test>\r\n"
        "Auto-Submitted: auto-replied\r\n"
        "MIME-Version: 1.0\r\n"
        "Content-Type: multipart/report; report-type=delivery-status;\r\n"
        ' boundary="=_0123456789abcdef"\r\n'
        "\r\n"
        "This is a delivery status notification in MIME format.\r\n"
        "\r\n"
        "--=_0123456789abcdef\r\n"
        "Content-Type: text/plain; charset=us-ascii\r\n"
        "Content-Description: Notification\r\n"
        "Content-Transfer-Encoding: 7bit\r\n"
        "\r\n"
        "This is the mail server mail.ours.test.\r\n"
        "\r\n"
        "Your message could not be delivered to the recipients below. It will not be\r\n"
        "tried again.\r\n"
        "\r\n"
        "<bob@far.test>:\r\n"
        "    mx.far.test [192.0.2.1] said: 550 5.1.1 no such user\r\n"
        "\r\n"
        "--=_0123456789abcdef\r\n"
        "Content-Type: message/delivery-status\r\n"
        "Content-Description: Delivery report\r\n"
        "Content-Transfer-Encoding: 7bit\r\n"
        "\r\n"
        "Reporting-MTA: dns; mail.ours.test\r\n"
        "Original-Envelope-Id: E1\r\n"
        "Arrival-Date: Thu, 16 May 2024 07:08:09 +0000\r\n"
        "\r\n"
        "Final-Recipient: rfc822; bob@far.test\r\n"
        "Action: failed\r\n"
        "Status: 5.1.1\r\n"
        "Remote-MTA: dns; mx.far.test\r\n"
        "Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n"
        "Last-Attempt-Date: Thu, 16 May 2024 07:08:09 +0000\r\n"
        "\r\n"
        "--=_0123456789abcdef\r\n"
        "Content-Type: text/rfc822-headers\r\n"
        "Content-Description: Headers of the message\r\n"
        "Content-Transfer-Encoding: 7bit\r\n"
        "\r\n"
        "Subject: greetings\r\n"
        "\r\n"
        "--=_0123456789abcdef--\r\n"
    )


@given(text=st.text(max_size=800), recipient=st.text(max_size=60), mta=st.text(max_size=40), envid=st.text(max_size=20))
def test_nothing_is_injected(text: str, recipient: str, mta: str, envid: str):
    raw = render(report(text=text, recipient=recipient, remote_mta=mta), envelope_id=envid)
    assert raw.isascii()
    message = email.message_from_bytes(raw)
    assert message.keys() == [
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "Auto-Submitted",
        "MIME-Version",
        "Content-Type",
    ]
    _, status, _ = message.get_payload()
    per_message, per_recipient = status.get_payload()
    assert set(per_message.keys()) <= {"Reporting-MTA", "Original-Envelope-Id", "Arrival-Date"}
    assert set(per_recipient.keys()) <= {
        "Final-Recipient",
        "Action",
        "Status",
        "Remote-MTA",
        "Diagnostic-Code",
        "Last-Attempt-Date",
    }
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))


@given(st.binary(max_size=3000))
def test_any_header_is_returned_in_7_bit_without_bare_line_ends(header: bytes):
    raw = render(header=header)
    assert raw.isascii()
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r" not in raw.replace(b"\r\n", b"")
    assert b"\x00" not in raw
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    returned = email.message_from_bytes(raw).get_payload()[2]
    normal = header.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    assert returned.get_payload(decode=True).replace(b"\r\n", b"\n").rstrip(b"\n") == normal.rstrip(b"\n")


def test_boundary_cannot_be_in_the_message():
    """It is random; a message that quotes an older DSN does not end a part."""
    inner = render()
    outer = render(header=inner, unique="fedcba9876543210")
    assert len(email.message_from_bytes(outer).get_payload()) == 3


@pytest.mark.parametrize(
    ("content", "limit", "expected"),
    [
        (b"A: b\r\nC: d\r\n\r\nbody", 1000, b"A: b\r\nC: d\r\n"),
        (b"A: b\r\nC: d\r\n\r\nbody", 8, b"A: b\r\n"),
        (b"A: b\r\nC: d", 1000, b"A: b\r\n"),
        (b"", 1000, b""),
        (b"x" * 100, 10, b""),
    ],
)
def test_header_is_cut_at_a_line(content: bytes, limit: int, expected: bytes):
    assert cut_header(content, limit) == expected
