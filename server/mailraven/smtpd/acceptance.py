"""From the end of the mail data to the reply: policy, trace header, Delivery (RFC 5321 §4.4, §6.1).

250 is said only after intake.deliver returned: then every recipient's copy is durable, or none is.
"""

import time
from datetime import UTC, datetime

import structlog

from mailraven.mailstore import Delivery, LocalTarget
from mailraven.policy.chain import decide
from mailraven.policy.verdict import Accept, Reason
from mailraven.smtp import replies
from mailraven.smtp.data import DataReader, Fault
from mailraven.smtp.parameters import Body
from mailraven.smtp.received import delivered_to, received, return_path, rfc5322_date
from mailraven.smtp.reply import Reply
from mailraven.smtp.submission import complete_header
from mailraven.smtp.transaction import Data
from mailraven.smtpd import gather, instruments, tracing
from mailraven.smtpd.errors import reply_of
from mailraven.smtpd.services import Role, Services
from mailraven.smtpd.session import Session

_log = structlog.get_logger(component="smtpd")

_FAULTS: dict[Fault, tuple[Reason, Reply]] = {
    Fault.BARE_LINE_END: (Reason.BARE_LINE_END, replies.BARE_LINE_END),
    Fault.TOO_LARGE: (Reason.MESSAGE_TOO_LARGE, replies.MESSAGE_TOO_LARGE),
    Fault.NO_MEMORY: (Reason.OUT_OF_MEMORY, replies.OUT_OF_MEMORY),
}


async def accept(services: Services, session: Session, transaction: Data, reader: DataReader) -> Reply:
    """The reply to a message that was read to its end. Raises only what is a bug."""
    if reader.fault is not None:
        reason, reply = _FAULTS[reader.fault]
        return _refuse(services, session, transaction, reader.received, reason.value, reply)
    message = reader.take_content()
    verdict = decide(services.policy.data, gather.data_facts(services, message))
    if not isinstance(verdict, Accept):
        return _refuse(services, session, transaction, reader.received, verdict.reason.value, verdict.reply)
    delivery = _delivery(services, session, transaction, message)
    del message  # a large one is in memory twice from here to the next line only
    began = time.perf_counter()
    try:
        delivered = await services.intake.deliver(delivery)
    except Exception as error:
        known = reply_of(error)
        if known is None:
            raise
        _log.warning("message not stored", request_id=session.id, error=type(error).__name__, detail=str(error))
        return _refuse(services, session, transaction, reader.received, type(error).__name__, known)
    seconds = time.perf_counter() - began
    counted = instruments.of(services.role)
    counted.accepted.inc()
    counted.octets.inc(reader.received)
    counted.seconds.observe(seconds)
    tracing.accepted(services, session, delivery, delivered)
    session.accepted += 1
    session.errors = 0
    session.unbook = None
    if services.gate is not None and session.identity is not None:
        services.gate.submitted(session.identity.account_id, [one.address for one in delivery.remote])
    _log.info(
        "message accepted",
        request_id=session.id,
        trace_id=session.trace_id,
        role=services.role.value,
        sender=delivery.return_path,
        local=len(delivery.recipients),
        remote=len(delivery.remote),
        size=reader.received,
        queue_id=delivered.queue_id,
        seconds=round(seconds, 4),
    )
    return Reply(250, "2.0.0", f"OK {session.trace_id}")


def _delivery(services: Services, session: Session, transaction: Data, message: bytes) -> Delivery:
    now, trace_id = datetime.now(UTC), session.trace_id
    mail, targets = transaction.mail, session.targets
    eight_bit = mail.parameters.body is Body.EIGHT_BIT_MIME or not message.isascii()
    if services.role is Role.SUBMISSION:
        message = complete_header(message, date=rfc5322_date(now), message_id=f"{trace_id}@{services.hostname}")
    only = transaction.recipients[0].recipient.address if len(transaction.recipients) == 1 else ""
    smtputf8 = mail.parameters.smtputf8
    trace = received(session.hop(services.hostname), trace_id, now, recipient=only, smtputf8=smtputf8)
    sender = mail.sender.address
    path = return_path(sender)
    return Delivery(
        raw=trace + message,
        recipients=tuple(
            LocalTarget(one.account, one.address, path + delivered_to(one.address)) for one in targets.local.values()
        ),
        remote=tuple(targets.remote.values()),
        return_path=sender,
        trace_id=trace_id,
        submitter_account=session.identity.account_id if session.identity is not None else targets.owner,
        smtputf8=smtputf8,
        eight_bit=eight_bit,
    )


def _refuse(services: Services, session: Session, transaction: Data, octets: int, reason: str, reply: Reply) -> Reply:
    counted = instruments.of(services.role)
    (counted.deferred if reply.code < 500 else counted.rejected).inc()
    session.refused += 1
    _log.info(
        "message refused",
        request_id=session.id,
        trace_id=session.trace_id,
        role=services.role.value,
        sender=transaction.mail.sender.address,
        recipients=len(transaction.recipients),
        size=octets,
        reason=reason,
        code=reply.code,
    )
    return reply
