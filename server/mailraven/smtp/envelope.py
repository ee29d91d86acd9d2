"""The arguments of MAIL and RCPT: `FROM:<path> parameters`, `TO:<path> parameters` (RFC 5321 §4.1.1.2-3)."""

from dataclasses import dataclass

from mailraven.smtp import replies
from mailraven.smtp.parameters import (
    MailParameters,
    RcptParameters,
    parse_mail_parameters,
    parse_rcpt_parameters,
)
from mailraven.smtp.path import Path, PathTooLong, parse_path
from mailraven.smtp.reply import Reply


@dataclass(frozen=True, slots=True)
class Mail:
    sender: Path
    parameters: MailParameters


@dataclass(frozen=True, slots=True)
class Rcpt:
    recipient: Path
    parameters: RcptParameters


def parse_mail(argument: str) -> Mail | Reply:
    found = _path("FROM:", argument, replies.BAD_SENDER_SYNTAX, replies.SENDER_TOO_LONG)
    if isinstance(found, Reply):
        return found
    sender, rest = found
    if not sender.domain and not sender.is_null:  # `<postmaster>` is a forward-path only
        return replies.BAD_SENDER_SYNTAX
    parameters = parse_mail_parameters(rest)
    if isinstance(parameters, Reply):
        return parameters
    if not sender.is_ascii and not parameters.smtputf8:
        return replies.NEEDS_SMTPUTF8
    return Mail(sender, parameters)


def parse_rcpt(argument: str, *, smtputf8: bool) -> Rcpt | Reply:
    found = _path("TO:", argument, replies.BAD_RECIPIENT_SYNTAX, replies.RECIPIENT_TOO_LONG)
    if isinstance(found, Reply):
        return found
    recipient, rest = found
    if recipient.is_null:
        return replies.BAD_RECIPIENT_SYNTAX
    parameters = parse_rcpt_parameters(rest)
    if isinstance(parameters, Reply):
        return parameters
    if not recipient.is_ascii and not smtputf8:
        return replies.NEEDS_SMTPUTF8
    return Rcpt(recipient, parameters)


def _path(keyword: str, argument: str, bad: Reply, too_long: Reply) -> tuple[Path, str] | Reply:
    if argument[: len(keyword)].upper() != keyword:
        return replies.SYNTAX
    try:
        # Blanks after the colon are wrong (RFC 5321 §3.3) and common; they change no meaning.
        found = parse_path(argument[len(keyword) :].lstrip(" "))
    except PathTooLong:
        return too_long
    if found is None:
        return bad
    path, rest = found
    if rest and not rest.startswith(" "):
        return bad
    return path, rest
