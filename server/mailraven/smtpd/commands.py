"""One row for each command; a handler gets the session and the argument and returns a reply or an action.

Sequence is judged by smtp.transaction, right by mailraven.policy; only the engine writes.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import structlog

from mailraven.directory import NotLocalDomain
from mailraven.policy.chain import decide
from mailraven.policy.verdict import Accept, Refusal, Reject
from mailraven.sasl import Exchange, decode_response, start
from mailraven.smtp import replies, transaction
from mailraven.smtp.ehlo import ehlo_reply
from mailraven.smtp.envelope import parse_mail, parse_rcpt
from mailraven.smtp.path import is_greeting_name
from mailraven.smtp.reply import Reply
from mailraven.smtpd import gather, instruments
from mailraven.smtpd.login import may_send_password, mechanisms_offered
from mailraven.smtpd.services import Role, Services
from mailraven.smtpd.session import Session

_log = structlog.get_logger(component="smtpd")


@dataclass(frozen=True, slots=True)
class StartTls:
    """Send 220 and begin the handshake."""


@dataclass(frozen=True, slots=True)
class Converse:
    """Lead a SASL exchange; `initial` is the initial response, decoded."""

    exchange: Exchange
    initial: bytes | None


@dataclass(frozen=True, slots=True)
class ReceiveData:
    """Send 354, read the message, have it accepted."""


@dataclass(frozen=True, slots=True)
class Close:
    """Send the reply and close."""

    reply: Reply
    why: str = "QUIT"


Outcome = Reply | StartTls | Converse | ReceiveData | Close
Handler = Callable[[Services, Session, str], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class Row:
    run: Handler
    takes_argument: bool = True
    groups: bool = False
    """Its reply may wait for others of the same batch (RFC 2920 §3.2)."""


async def ehlo(services: Services, session: Session, argument: str) -> Outcome:
    if not is_greeting_name(argument):
        return replies.SYNTAX
    session.greet(argument, extended=True)
    return ehlo_reply(
        services.hostname,
        argument,
        max_size=services.max_message_size,
        starttls=services.tls is not None and not session.secure,
        mechanisms=mechanisms_offered(services, session),
    )


async def helo(services: Services, session: Session, argument: str) -> Outcome:
    if not is_greeting_name(argument):
        return replies.SYNTAX
    session.greet(argument, extended=False)
    return Reply(250, "", f"{services.hostname} greets {argument}")


async def mail(services: Services, session: Session, argument: str) -> Outcome:
    refused = transaction.may_mail(session.state)
    if refused is not None:
        return refused
    if session.identity is not None and not await services.directory.still_valid(session.identity, "smtp"):
        return Close(replies.LOGIN_ENDED, "the login is no longer valid")
    command = parse_mail(argument)
    if isinstance(command, Reply):
        return command
    verdict = decide(services.policy.mail, await gather.mail_facts(services, session, command))
    if not isinstance(verdict, Accept):
        _log_refusal(services, session, verdict, sender=command.sender.address)
        return verdict.reply
    following = transaction.mail(session.state, command)
    if isinstance(following, Reply):
        return following
    session.state = following
    session.transactions += 1
    return replies.SENDER_OK


async def rcpt(services: Services, session: Session, argument: str) -> Outcome:
    state = session.state
    if not isinstance(state, (transaction.HasSender, transaction.HasRecipients)):
        return transaction.may_rcpt(state) or replies.MAIL_FIRST
    session.state = transaction.rcpt_refused(state)  # until it is accepted, whatever happens on the way
    parameters = state.mail.parameters
    command = parse_rcpt(argument, smtputf8=parameters.smtputf8)
    if isinstance(command, Reply):
        return command
    counted = instruments.of(services.role)
    if gather.is_full(services, session):
        session.surplus += 1
        counted.rcpt_deferred.inc()
        return replies.TOO_MANY_RECIPIENTS  # RFC 5321 §4.5.3.1.10; costs no look-up
    found = await services.directory.resolve_from(state.mail.sender.address, command.recipient.address)
    facts = gather.rcpt_facts(services, session, command, parameters, found)
    verdict = decide(services.policy.rcpt, facts)
    if not isinstance(verdict, Accept):
        (counted.rcpt_rejected if isinstance(verdict, Reject) else counted.rcpt_deferred).inc()
        _log_refusal(services, session, verdict, recipient=command.recipient.address)
        return verdict.reply
    if isinstance(found, NotLocalDomain) and session.identity is None:
        return replies.RELAY_DENIED  # whatever a chain says: nobody relays without authentication
    await gather.add_targets(services.directory, session, command, found)
    following = transaction.rcpt(session.state, command)
    if isinstance(following, Reply):
        return following
    session.state = following
    counted.rcpt_accepted.inc()
    return replies.RECIPIENT_OK


def _log_refusal(services: Services, session: Session, refusal: Refusal, **who: str) -> None:
    _log.info(
        "refused",
        request_id=session.id,
        role=services.role.value,
        peer=session.peer_ip,
        reason=refusal.reason.value,
        code=refusal.reply.code,
        **who,
    )


async def data(services: Services, session: Session, argument: str) -> Outcome:
    following = transaction.data(session.state)
    if isinstance(following, Reply):
        return following
    if not services.budget.has_room(following.mail.parameters.size or 0):
        instruments.of(services.role).deferred.inc()
        return replies.OUT_OF_MEMORY
    verdict = decide(services.policy.envelope, await gather.envelope_facts(services, session, following))
    if not isinstance(verdict, Accept):
        instruments.of(services.role).deferred.inc()
        _log_refusal(services, session, verdict, sender=following.mail.sender.address)
        return verdict.reply
    session.state = following
    return ReceiveData()


async def rset(services: Services, session: Session, argument: str) -> Outcome:
    session.reset()
    return replies.OK


async def noop(services: Services, session: Session, argument: str) -> Outcome:
    return replies.OK


async def quit_(services: Services, session: Session, argument: str) -> Outcome:
    return Close(replies.BYE)


async def vrfy(services: Services, session: Session, argument: str) -> Outcome:
    # RFC 5321 §3.5.3: who exists here is nobody's business before RCPT
    return replies.CANNOT_VERIFY if argument else replies.SYNTAX


async def help_(services: Services, session: Session, argument: str) -> Outcome:
    return replies.HELP


async def not_implemented(services: Services, session: Session, argument: str) -> Outcome:
    return replies.NOT_IMPLEMENTED


async def starttls(services: Services, session: Session, argument: str) -> Outcome:
    if session.secure:
        return replies.TLS_ALREADY
    if services.tls is None:
        return replies.NOT_IMPLEMENTED
    # RFC 3207 §4 allows it at any time; inside a transaction it would only lose that.
    return StartTls() if session.between_transactions else replies.BAD_SEQUENCE


async def auth(services: Services, session: Session, argument: str) -> Outcome:
    if services.role is not Role.SUBMISSION:
        return replies.NOT_IMPLEMENTED
    if session.identity is not None:
        return replies.ALREADY_AUTHENTICATED
    if not isinstance(session.state, transaction.Idle) or not session.extended:  # RFC 4954 §4
        return replies.GREET_FIRST if not session.extended else replies.BAD_SEQUENCE
    if not may_send_password(services, session):
        return replies.TLS_REQUIRED_FOR_AUTH
    name, _, token = argument.partition(" ")
    if not name or " " in token:
        return replies.SYNTAX
    exchange = start(name)
    if exchange is None:
        return replies.UNKNOWN_MECHANISM
    if not token:
        return Converse(exchange, None)
    initial = decode_response(token.encode("ascii"), initial=True)
    return replies.NOT_BASE64 if initial is None else Converse(exchange, initial)


COMMANDS: Mapping[str, Row] = MappingProxyType(
    {
        "EHLO": Row(ehlo),
        "HELO": Row(helo),
        "MAIL": Row(mail, groups=True),
        "RCPT": Row(rcpt, groups=True),
        "DATA": Row(data, takes_argument=False),
        "RSET": Row(rset, takes_argument=False, groups=True),
        "NOOP": Row(noop),
        "QUIT": Row(quit_, takes_argument=False),
        "VRFY": Row(vrfy),
        "EXPN": Row(not_implemented),
        "HELP": Row(help_),
        "STARTTLS": Row(starttls, takes_argument=False),
        "AUTH": Row(auth),
    }
)
