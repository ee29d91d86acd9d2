"""New mail enters the outbound queue: a row for the message, one for each recipient (RFC 5321 §6.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class RemoteRecipient:
    """`address` as it goes into RCPT TO; `domain` is the routing key: A-labels, lower case."""

    address: str
    domain: str


@dataclass(frozen=True, slots=True)
class NewMessage:
    """`account` is the submitter's; for DSNs and other mail of the system the account they are about."""

    account: int
    body_account: int
    body_id: int
    return_path: str
    recipients: tuple[RemoteRecipient, ...]
    smtputf8: bool = False
    eight_bit: bool = False
    envelope_id: str = ""
    trace_id: str = ""


# Ids are taken before the inserts, so that one statement fills both tables and needs no order of RETURNING.
# The foreign key is checked at the end of the statement, when both tables have their rows. Mail of an account whose
# sending is held waits from the start.
_ENQUEUE = """
WITH new AS (
    SELECT nextval('queue_message_id_seq') AS id, m.*
      FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::boolean[], $6::boolean[],
                  $7::text[], $8::text[])
           WITH ORDINALITY AS m(account, body_account, body_id, return_path, smtputf8, eight_bit,
                                envelope_id, trace_id, place)
), messages AS (
    INSERT INTO queue_message (account_id, id, body_account_id, body_id, return_path, smtputf8, eight_bit,
                               envelope_id, trace_id)
    SELECT account, id, body_account, body_id, return_path, smtputf8, eight_bit, envelope_id, trace_id
      FROM new
), recipients AS (
    INSERT INTO queue_recipient (account_id, message_id, recipient, domain, state, held_from, held_at)
    SELECT new.account, new.id, r.address, r.domain, CASE WHEN a.sending_held IS NULL THEN 'queued' ELSE 'held' END,
           CASE WHEN a.sending_held IS NOT NULL THEN 'queued' END, CASE WHEN a.sending_held IS NOT NULL THEN now() END
      FROM unnest($9::bigint[], $10::text[], $11::text[]) WITH ORDINALITY AS r(place, address, domain, nth)
      JOIN new USING (place)
      LEFT JOIN account a ON a.id = new.account
     ORDER BY r.nth
)
SELECT id FROM new ORDER BY place
"""


async def enqueue(connection: Any, messages: Sequence[NewMessage]) -> list[int]:
    """Inside the caller's transaction; the ids come in the order of `messages`.

    The caller notifies 'mailraven_queue' after its commit, never inside it.
    """
    if not messages:
        return []
    recipients = [(place, recipient) for place, m in enumerate(messages, 1) for recipient in m.recipients]
    rows = await connection.fetch(
        _ENQUEUE,
        [m.account for m in messages],
        [m.body_account for m in messages],
        [m.body_id for m in messages],
        [m.return_path for m in messages],
        [m.smtputf8 for m in messages],
        [m.eight_bit for m in messages],
        [m.envelope_id for m in messages],
        [m.trace_id for m in messages],
        [place for place, _ in recipients],
        [recipient.address for _, recipient in recipients],
        [recipient.domain for _, recipient in recipients],
    )
    return [row["id"] for row in rows]
