"""What a session tells the delivery trace: mail that was taken, and what was refused with which words."""

from mailraven.mailstore import Delivered, Delivery
from mailraven.smtp.reply import Reply
from mailraven.smtp.transaction import Data, HasRecipients, HasSender, State
from mailraven.smtpd.services import Services
from mailraven.smtpd.session import Session
from mailraven.trace import Kind, TraceEvent

TRACED_VERBS = frozenset({"MAIL", "RCPT", "DATA"})
MAX_REFUSALS = 10
"""Of one session: who tries a thousand addresses does not fill the trace."""


def accepted(services: Services, session: Session, delivery: Delivery, delivered: Delivered) -> None:
    """One event for each recipient: it is what people ask for, and the others are none of their business."""
    trace = services.trace
    if trace is None:
        return
    uids = {account: uid for account, _, uid in delivered.uids}

    def event(kind: Kind, account: int, recipient: str, detail: str) -> TraceEvent:
        return TraceEvent(
            kind=kind,
            trace_id=delivery.trace_id,
            account=account,
            message_id=delivered.message_id,
            sender=delivery.return_path,
            recipient=recipient,
            peer=session.peer_ip,
            detail=detail,
        )

    for one in delivery.recipients:
        if one.account in uids:
            trace.record(event(Kind.DELIVERED, one.account, one.address, f"{one.mailbox}, UID {uids[one.account]}"))
    for remote in delivery.remote:
        trace.record(
            event(Kind.QUEUED, delivery.submitter_account or 0, remote.address, f"queue id {delivered.queue_id}")
        )


def refused(services: Services, session: Session, before: State, verb: str, argument: str, reply: Reply) -> None:
    """`before`: the state in which the command came."""
    trace = services.trace
    if trace is None or session.traced_refusals >= MAX_REFUSALS:
        return
    sender, recipients = "", [""]
    if isinstance(before, HasSender | HasRecipients | Data):
        sender = before.mail.sender.address
    if verb == "MAIL":
        sender = _path(argument)
    elif verb == "RCPT":
        recipients = [_path(argument)]
    elif isinstance(before, HasRecipients | Data):
        recipients = [one.recipient.address for one in before.recipients]
    for recipient in recipients[: MAX_REFUSALS - session.traced_refusals]:
        session.traced_refusals += 1
        trace.record(
            TraceEvent(
                kind=Kind.REFUSED,
                # No transaction has begun with a MAIL that is refused.
                trace_id=f"{session.id}.0" if verb == "MAIL" else session.trace_id,
                account=session.identity.account_id if session.identity is not None else 0,
                sender=sender,
                recipient=recipient,
                peer=session.peer_ip,
                detail=f"{verb}: {reply.code} {reply.enhanced} {reply.text}",
            )
        )


def _path(argument: str) -> str:
    return argument.partition("<")[2].rpartition(">")[0]
