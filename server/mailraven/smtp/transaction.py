"""The order of a mail transaction as a machine (RFC 5321 §3.3, §4.1.4). A refused step changes nothing.

Ungreeted --EHLO/HELO--> Idle --MAIL--> HasSender --RCPT--> HasRecipients --DATA--> Data --end--> Idle
RSET, EHLO and HELO lead back to Idle from everywhere behind the greeting.
"""

from dataclasses import dataclass

from mailraven.smtp import replies
from mailraven.smtp.envelope import Mail, Rcpt
from mailraven.smtp.reply import Reply


@dataclass(frozen=True, slots=True)
class Ungreeted:
    """Connected, or TLS just began: RFC 3207 §4.2 forgets the greeting before it."""


@dataclass(frozen=True, slots=True)
class Idle:
    """Greeted, no transaction open."""


@dataclass(frozen=True, slots=True)
class HasSender:
    mail: Mail
    refused: int = 0  # recipients asked for and refused so far


@dataclass(frozen=True, slots=True)
class HasRecipients:
    mail: Mail
    recipients: tuple[Rcpt, ...]


@dataclass(frozen=True, slots=True)
class Data:
    mail: Mail
    recipients: tuple[Rcpt, ...]


State = Ungreeted | Idle | HasSender | HasRecipients | Data
UNGREETED, IDLE = Ungreeted(), Idle()


def reset(state: State) -> State:
    return UNGREETED if isinstance(state, Ungreeted) else IDLE


def may_mail(state: State) -> Reply | None:
    """The reply that refuses MAIL here, or None. Asked before anything is looked up."""
    if isinstance(state, Ungreeted):
        return replies.GREET_FIRST
    return None if isinstance(state, Idle) else replies.NESTED_MAIL


def mail(state: State, command: Mail) -> State | Reply:
    return may_mail(state) or HasSender(command)


def may_rcpt(state: State) -> Reply | None:
    if isinstance(state, (HasSender, HasRecipients)):
        return None
    return replies.GREET_FIRST if isinstance(state, Ungreeted) else replies.MAIL_FIRST


def rcpt(state: State, command: Rcpt) -> State | Reply:
    if isinstance(state, HasRecipients):
        return HasRecipients(state.mail, (*state.recipients, command))
    if isinstance(state, HasSender):
        return HasRecipients(state.mail, (command,))
    return may_rcpt(state) or replies.MAIL_FIRST


def rcpt_refused(state: State) -> State:
    """Remembers that there was an attempt, for the words of a refused DATA."""
    return HasSender(state.mail, state.refused + 1) if isinstance(state, HasSender) else state


def data(state: State) -> Data | Reply:
    if isinstance(state, HasRecipients):
        return Data(state.mail, state.recipients)
    if isinstance(state, HasSender):
        return replies.NO_VALID_RECIPIENTS if state.refused else replies.RCPT_FIRST  # RFC 2920 §3.1
    return may_rcpt(state) or replies.RCPT_FIRST
