"""What the delivery daemon tells the delivery trace: how attempts ended, and that the sender was told."""

from collections.abc import Sequence

from mailraven.delivery.dsn import Action
from mailraven.delivery.plan import Planned
from mailraven.mailstore import Delivered
from mailraven.queue import Claim, State
from mailraven.trace import Kind, Recorder, TraceEvent

_KINDS = {
    State.DELIVERED: Kind.SENT,
    State.DEFERRED: Kind.DEFERRED,
    State.FAILED: Kind.FAILED,
    State.EXPIRED: Kind.EXPIRED,
}


def attempted(trace: Recorder, claim: Claim, planned: Sequence[Planned], ours: set[int]) -> None:
    """One event for each recipient whose outcome was written."""
    for one in planned:
        transition = one.transition
        if transition.recipient.id not in ours:
            continue
        words = transition.reply or transition.status
        if one.tls:
            words += f"; {one.tls}"
        if transition.due_at is not None:
            words += f"; tried again at {transition.due_at:%Y-%m-%d %H:%M:%S %Z}"
        trace.record(
            TraceEvent(
                kind=_KINDS[transition.state],
                trace_id=claim.trace_id,
                account=claim.account,
                sender=claim.return_path,
                recipient=transition.recipient.address,
                peer=transition.remote_mta,
                detail=words,
            )
        )


def notified(
    trace: Recorder, claim: Claim, planned: Sequence[Planned], ours: set[int], action: Action, delivered: Delivered
) -> None:
    """A DSN is in the sender's mailbox, or in the queue to him."""
    about = ", ".join(
        one.report.recipient
        for one in planned
        if one.report is not None and one.report.action is action and one.transition.recipient.id in ours
    )
    where = f"queue id {delivered.queue_id}" if delivered.queue_id is not None else "INBOX"
    trace.record(
        TraceEvent(
            kind=Kind.NOTIFIED,
            trace_id=claim.trace_id,
            account=delivered.uids[0][0] if delivered.uids else claim.account,
            message_id=delivered.message_id,
            recipient=claim.return_path,
            detail=f"{where}: {action} for {about}",
        )
    )
