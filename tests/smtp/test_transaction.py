"""The order of a transaction: every step in every state."""

import pytest

from mailraven.smtp import replies, transaction
from mailraven.smtp.envelope import Mail, Rcpt
from mailraven.smtp.parameters import NO_MAIL_PARAMETERS, NO_RCPT_PARAMETERS
from mailraven.smtp.path import NULL_PATH, Path
from mailraven.smtp.reply import Reply

MAIL = Mail(NULL_PATH, NO_MAIL_PARAMETERS)
RCPT = Rcpt(Path("a", "b"), NO_RCPT_PARAMETERS)
HAS_SENDER = transaction.HasSender(MAIL)
HAS_RECIPIENTS = transaction.HasRecipients(MAIL, (RCPT,))
DATA = transaction.Data(MAIL, (RCPT,))


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (transaction.UNGREETED, replies.GREET_FIRST),
        (transaction.IDLE, HAS_SENDER),
        (HAS_SENDER, replies.NESTED_MAIL),
        (HAS_RECIPIENTS, replies.NESTED_MAIL),
        (DATA, replies.NESTED_MAIL),
    ],
)
def test_mail(state: transaction.State, expected: transaction.State | Reply):
    assert transaction.mail(state, MAIL) == expected


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (transaction.UNGREETED, replies.GREET_FIRST),
        (transaction.IDLE, replies.MAIL_FIRST),
        (HAS_SENDER, HAS_RECIPIENTS),
        (transaction.HasSender(MAIL, refused=3), HAS_RECIPIENTS),
        (HAS_RECIPIENTS, transaction.HasRecipients(MAIL, (RCPT, RCPT))),
        (DATA, replies.MAIL_FIRST),
    ],
)
def test_rcpt(state: transaction.State, expected: transaction.State | Reply):
    assert transaction.rcpt(state, RCPT) == expected


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (transaction.UNGREETED, replies.GREET_FIRST),
        (transaction.IDLE, replies.MAIL_FIRST),
        (HAS_SENDER, replies.RCPT_FIRST),
        (transaction.HasSender(MAIL, refused=1), replies.NO_VALID_RECIPIENTS),
        (HAS_RECIPIENTS, DATA),
    ],
)
def test_data(state: transaction.State, expected: transaction.State | Reply):
    assert transaction.data(state) == expected


@pytest.mark.parametrize("state", [transaction.IDLE, HAS_SENDER, HAS_RECIPIENTS, DATA])
def test_reset_leads_back_to_idle(state: transaction.State):
    assert transaction.reset(state) == transaction.IDLE


def test_reset_greets_nobody():
    assert transaction.reset(transaction.UNGREETED) == transaction.UNGREETED
