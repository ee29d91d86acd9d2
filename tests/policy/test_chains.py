"""The policy as tables of facts and verdicts."""

from dataclasses import replace

import pytest

from mailraven.policy.chain import (
    CONNECT,
    MX_DATA,
    MX_MAIL,
    MX_RCPT,
    SUBMISSION_DATA,
    SUBMISSION_MAIL,
    SUBMISSION_RCPT,
    decide,
)
from mailraven.policy.facts import ConnectFacts, DataFacts, Destination, MailFacts, RcptFacts
from mailraven.policy.verdict import ACCEPT, Accept, Defer, Reason, Reject, Verdict
from mailraven.smtp import replies

MAIL = MailFacts(authenticated=True, sender_owned=True, size=None, max_size=1000)
RCPT = RcptFacts(
    destination=Destination.LOCAL,
    literal=False,
    postmaster=False,
    room=None,
    size=None,
    recipients=0,
    max_recipients=100,
)


def reason(verdict: Verdict) -> Reason | None:
    return None if isinstance(verdict, Accept) else verdict.reason


@pytest.mark.parametrize(
    ("change", "mx", "submission"),
    [
        ({}, None, None),
        ({"authenticated": False, "sender_owned": False}, None, Reason.AUTH_REQUIRED),
        ({"sender_owned": False}, None, Reason.SENDER_NOT_OWNED),
        ({"size": 1000}, None, None),
        ({"size": 1001}, Reason.MESSAGE_TOO_LARGE, Reason.MESSAGE_TOO_LARGE),
    ],
)
def test_mail(change: dict[str, object], mx: Reason | None, submission: Reason | None):
    facts = replace(MAIL, **change)  # type: ignore[arg-type]
    assert reason(decide(MX_MAIL, facts)) == mx
    assert reason(decide(SUBMISSION_MAIL, facts)) == submission


@pytest.mark.parametrize(
    ("change", "mx", "submission"),
    [
        ({}, None, None),
        ({"destination": Destination.FOREIGN}, Reason.RELAY_DENIED, None),
        ({"destination": Destination.FOREIGN, "literal": True}, Reason.RELAY_DENIED, Reason.LITERAL_REFUSED),
        ({"destination": Destination.UNKNOWN}, Reason.UNKNOWN_RECIPIENT, Reason.UNKNOWN_RECIPIENT),
        ({"destination": Destination.DISABLED}, Reason.RECIPIENT_DISABLED, Reason.RECIPIENT_DISABLED),
        ({"room": 0}, Reason.OVER_QUOTA, Reason.OVER_QUOTA),
        ({"room": 0, "postmaster": True}, None, None),
        ({"room": 10}, None, None),
        ({"room": 10, "size": 11}, Reason.OVER_QUOTA, Reason.OVER_QUOTA),
        ({"recipients": 99}, None, None),
        ({"recipients": 100}, Reason.TOO_MANY_RECIPIENTS, Reason.TOO_MANY_RECIPIENTS),
    ],
)
def test_rcpt(change: dict[str, object], mx: Reason | None, submission: Reason | None):
    facts = replace(RCPT, **change)  # type: ignore[arg-type]
    assert reason(decide(MX_RCPT, facts)) == mx
    assert reason(decide(SUBMISSION_RCPT, facts)) == submission


def test_data():
    fine = DataFacts(hops=100, max_hops=100, header_octets=1000)
    looping, large = replace(fine, hops=101), replace(fine, header_octets=(1 << 20) + 1)
    assert decide(MX_DATA, fine) is ACCEPT
    assert decide(SUBMISSION_DATA, fine) is ACCEPT
    assert decide(MX_DATA, large) is ACCEPT
    assert reason(decide(MX_DATA, looping)) is Reason.MAIL_LOOP
    assert reason(decide(SUBMISSION_DATA, looping)) is Reason.MAIL_LOOP
    assert reason(decide(SUBMISSION_DATA, large)) is Reason.HEADER_TOO_LARGE


def test_connect():
    assert decide(CONNECT, ConnectFacts(9, 10, draining=False)) is ACCEPT
    assert reason(decide(CONNECT, ConnectFacts(10, 10, draining=False))) is Reason.TOO_MANY_CONNECTIONS
    assert reason(decide(CONNECT, ConnectFacts(0, 10, draining=True))) is Reason.SHUTTING_DOWN


def test_a_verdict_keeps_to_its_class_of_replies():
    with pytest.raises(ValueError, match="4xx"):
        Defer(Reason.OVER_QUOTA, replies.RELAY_DENIED)
    with pytest.raises(ValueError, match="5xx"):
        Reject(Reason.OVER_QUOTA, replies.MAILBOX_FULL)
