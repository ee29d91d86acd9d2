"""What happened, in a sentence for people."""

from mailraven.trace.event import Kind, TraceEvent

_SENTENCES = {
    Kind.REFUSED: "refused by this server: {detail} (client {peer}{to})",
    Kind.DELIVERED: "came from {peer} and is in the mailbox of {recipient}: {detail}",
    Kind.QUEUED: "came from {peer} and waits to be sent to {recipient}, {detail}",
    Kind.SENT: "taken by {peer} for {recipient}: {detail}",
    Kind.DEFERRED: "not taken yet for {recipient} by {peer}: {detail}",
    Kind.FAILED: "refused for ever for {recipient} by {peer}: {detail}",
    Kind.EXPIRED: "given up for {recipient}, the last answer of {peer} was: {detail}",
    Kind.NOTIFIED: "the sender {recipient} was told, {detail}",
    Kind.HELD: "held for {recipient}: {detail}",
    Kind.RELEASED: "released for {recipient}: {detail}",
    Kind.RETRIED: "made due at once for {recipient}: {detail}",
    Kind.CANCELLED: "cancelled for {recipient}: {detail}",
    Kind.LOGIN_FAILED: "failed log-in as {sender} from {peer} by {detail}",
}


def line(event: TraceEvent) -> str:
    """With the time in UTC."""
    sentence = _SENTENCES[event.kind].format(
        detail=event.detail or "no words",
        peer=event.peer or "an unknown host",
        recipient=event.recipient or "all recipients",
        sender=event.sender or "nobody",
        to=f", recipient {event.recipient}" if event.recipient else "",
    )
    return f"{event.at:%Y-%m-%d %H:%M:%S} {sentence}"
