"""Command lines, MAIL and RCPT arguments, ESMTP parameters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailraven.smtp import replies
from mailraven.smtp.command import Command, parse_command
from mailraven.smtp.envelope import Mail, Rcpt, parse_mail, parse_rcpt
from mailraven.smtp.parameters import Body, MailParameters, parse_mail_parameters
from mailraven.smtp.reply import Reply


def test_a_command_keeps_its_argument_as_it_is():
    assert parse_command(b"mail FROM:<A@b> AUTH=Xy") == Command("MAIL", "FROM:<A@b> AUTH=Xy")
    assert parse_command(b"QUIT") == Command("QUIT", "")
    assert parse_command(b"NOOP  ") == Command("NOOP", "")


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        (b"NOOP\nMAIL", replies.LINE_HAS_CONTROLS),
        (b"NOOP\rMAIL", replies.LINE_HAS_CONTROLS),
        (b"NO\0OP", replies.LINE_HAS_CONTROLS),
        (b"\xff\xfe", replies.UNKNOWN_COMMAND),
        (b"EHLO \xc3\xbc", replies.LINE_NOT_ASCII),
        (b"MAIL FROM:<\xff@x>", replies.LINE_NOT_UTF8),
        (b"NOOP " + b"x" * 506, replies.LINE_TOO_LONG),
        (b"AUTH PLAIN " + b"x" * 12288, replies.LINE_TOO_LONG),
    ],
)
def test_broken_lines(line: bytes, reply: Reply):
    assert parse_command(line) == reply


def test_lines_up_to_the_limit_are_taken():
    assert isinstance(parse_command(b"NOOP " + b"x" * 505), Command)
    assert isinstance(parse_command(b"AUTH PLAIN " + b"x" * 12000), Command)


@given(st.binary(max_size=600))
def test_nothing_breaks_the_line_parser(line: bytes):
    found = parse_command(line)
    if isinstance(found, Command):
        parse_mail(found.argument)
        parse_rcpt(found.argument, smtputf8=True)


def test_mail_parameters():
    assert isinstance(parse_mail("FROM:<a@b> AUTH=<>"), Mail)  # RFC 4954 §5
    found = parse_mail("from:<a@b> SIZE=100 body=8bitmime SMTPUTF8 AUTH=e+3Dmc2@b.example")
    assert isinstance(found, Mail)
    assert found.parameters == MailParameters(100, Body.EIGHT_BIT_MIME, True, "e+3Dmc2@b.example")


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("SIZE", replies.SYNTAX),
        ("SIZE=", replies.SYNTAX),
        ("SIZE=-1", replies.SYNTAX),
        ("SIZE=1x", replies.SYNTAX),
        ("SIZE=²", replies.SYNTAX),
        ("SIZE=" + "9" * 21, replies.SYNTAX),
        ("SIZE=1 SIZE=1", replies.SYNTAX),
        ("BODY=BINARYMIME", replies.SYNTAX),
        ("BODY", replies.SYNTAX),
        ("SMTPUTF8=1", replies.SYNTAX),
        ("AUTH=+zz", replies.SYNTAX),
        ("=x", replies.SYNTAX),
        ("-A=x", replies.SYNTAX),
        ("A==x", replies.SYNTAX),
        ("RET=HDRS", replies.UNKNOWN_PARAMETER),
        ("X-ANY", replies.UNKNOWN_PARAMETER),
    ],
)
def test_wrong_mail_parameters(text: str, reply: Reply):
    assert parse_mail_parameters(text) == reply


@pytest.mark.parametrize(
    ("argument", "reply"),
    [
        ("", replies.SYNTAX),
        ("FROM", replies.SYNTAX),
        ("TO:<a@b>", replies.SYNTAX),
        ("FROM:a@b", replies.BAD_SENDER_SYNTAX),
        ("FROM:<a@b>x", replies.BAD_SENDER_SYNTAX),
        ("FROM:<postmaster>", replies.BAD_SENDER_SYNTAX),
        (f"FROM:<{'a' * 65}@b>", replies.SENDER_TOO_LONG),
        ("FROM:<jörg@b>", replies.NEEDS_SMTPUTF8),
    ],
)
def test_wrong_mail_arguments(argument: str, reply: Reply):
    assert parse_mail(argument) == reply


@pytest.mark.parametrize(
    ("argument", "reply"),
    [
        ("TO:<>", replies.BAD_RECIPIENT_SYNTAX),
        ("TO:", replies.BAD_RECIPIENT_SYNTAX),
        ("TO:<a>", replies.BAD_RECIPIENT_SYNTAX),
        ("TO:<a@b> NOTIFY=NEVER", replies.UNKNOWN_PARAMETER),
        ("TO:<jörg@b>", replies.NEEDS_SMTPUTF8),
        (f"TO:<{'a' * 65}@b>", replies.RECIPIENT_TOO_LONG),
    ],
)
def test_wrong_rcpt_arguments(argument: str, reply: Reply):
    assert parse_rcpt(argument, smtputf8=False) == reply


def test_a_blank_after_the_colon_is_forgiven():
    assert isinstance(parse_mail("FROM: <a@b>"), Mail)
    assert isinstance(parse_rcpt("TO: <a@b>", smtputf8=False), Rcpt)
    assert isinstance(parse_rcpt("TO:<jörg@b>", smtputf8=True), Rcpt)
