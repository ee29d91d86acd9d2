"""The one statement of a delivery batch, and the columns it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mailraven.mailstore.intake import Arrival

# Mailbox rows are locked in id order (no deadlocks between processes), UIDs and MODSEQ are given under that lock, and
# each mailbox's counters are updated once however many messages it gets. Rows of a mailbox that is gone vanish, and the
# body with them if it has no other: the caller counts what comes back.
INSERT = """
WITH item AS (
    SELECT x.*, row_number() OVER (PARTITION BY account_id, mailbox_id ORDER BY ord) - 1 AS k
    FROM unnest($1::bigint[], $2::bigint[], $3::integer[], $4::bigint[], $5::bytea[], $6::timestamptz[])
         WITH ORDINALITY AS x(account_id, mailbox_id, entry, flags, prefix, internal_date, ord)
), parsed AS (
    SELECT *, ord - 1 AS entry
    FROM unnest($7::bigint[], $8::bigint[], $9::bigint[], $10::bytea[], $11::bytea[], $12::text[],
                $13::timestamptz[], $14::date[], $15::bytea[], $16::bytea[], $17::text[],
                $18::text[], $19::text[], $20::text[], $21::text[], $22::text[])
         WITH ORDINALITY AS x(account_id, id, size, sha256, inline, object_key, sent_at, sent_date, envelope,
                              bodystructure, message_id, subject_text, from_text, to_text, cc_text, bcc_text, ord)
), total AS (
    SELECT i.account_id, i.mailbox_id, count(*) AS n, sum(p.size + length(i.prefix)) AS octets,
           count(*) FILTER (WHERE i.flags & 1 = 0) AS unseen, count(*) FILTER (WHERE i.flags & 8 <> 0) AS deleted
    FROM item i JOIN parsed p USING (entry) GROUP BY 1, 2
), locked AS (
    SELECT m.account_id, m.id FROM mailbox m JOIN total t ON m.account_id = t.account_id AND m.id = t.mailbox_id
    ORDER BY m.account_id, m.id FOR UPDATE OF m
), box AS (
    UPDATE mailbox m
    SET uidnext = m.uidnext + t.n, modseq = m.modseq + 1, messages = m.messages + t.n, bytes = m.bytes + t.octets,
        unseen = m.unseen + t.unseen, deleted = m.deleted + t.deleted
    FROM total t JOIN locked l ON l.account_id = t.account_id AND l.id = t.mailbox_id
    WHERE m.account_id = t.account_id AND m.id = t.mailbox_id
    RETURNING m.account_id, m.id, m.uidnext - t.n AS first_uid, m.uidvalidity, m.modseq
), new_body AS (
    INSERT INTO body (account_id, id, size, sha256, inline, object_key)
    SELECT account_id, id, size, sha256, inline, object_key FROM parsed
    WHERE entry NOT IN (SELECT i.entry FROM item i) OR entry IN (
        SELECT i.entry FROM item i JOIN box b ON b.account_id = i.account_id AND b.id = i.mailbox_id)
), new_message AS (
    INSERT INTO message (account_id, mailbox_id, uid, body_account_id, body_id, size, prefix, internal_date, sent_at,
                         sent_date, envelope, bodystructure, message_id, subject_text, from_text, to_text, cc_text,
                         bcc_text)
    SELECT i.account_id, i.mailbox_id, b.first_uid + i.k, p.account_id, p.id, p.size + length(i.prefix), i.prefix,
           i.internal_date, p.sent_at, p.sent_date, p.envelope, p.bodystructure, p.message_id, p.subject_text,
           p.from_text, p.to_text, p.cc_text, p.bcc_text
    FROM item i JOIN parsed p USING (entry) JOIN box b ON b.account_id = i.account_id AND b.id = i.mailbox_id
), new_flags AS (
    INSERT INTO message_flags (account_id, mailbox_id, uid, flags, modseq)
    SELECT i.account_id, i.mailbox_id, b.first_uid + i.k, i.flags, b.modseq
    FROM item i JOIN box b ON b.account_id = i.account_id AND b.id = i.mailbox_id
)
SELECT i.entry, i.account_id, i.mailbox_id, b.first_uid + i.k AS uid, b.uidvalidity, b.modseq
FROM item i JOIN box b ON b.account_id = i.account_id AND b.id = i.mailbox_id
ORDER BY i.ord
"""

FIND = """
SELECT m.account_id, m.mailbox_id, m.uid, b.uidvalidity
FROM message m JOIN mailbox b ON b.account_id = m.account_id AND b.id = m.mailbox_id
WHERE m.body_account_id = $1 AND m.body_id = $2 ORDER BY m.uid
"""


def columns(batch: list[Arrival]) -> list[list[Any]]:
    """The 22 arrays of INSERT: six a target, sixteen a body."""
    targets: list[list[Any]] = [[], [], [], [], [], []]
    bodies: list[list[Any]] = [[] for _ in range(16)]
    for index, entry in enumerate(batch):
        for target in entry.targets:
            row = (target.account, target.mailbox, index, target.flags, target.prefix, target.internal_date)
            for column, value in zip(targets, row, strict=True):
                column.append(value)
        body, summary = entry.body, entry.summary
        sent_at = summary.sent_at
        values = (
            body.account,
            body.id,
            body.size,
            body.sha256,
            body.inline,
            body.object_key,
            sent_at,
            sent_at.date() if sent_at is not None else None,
            summary.envelope,
            summary.bodystructure,
            summary.message_id,
            summary.subject,
            summary.from_,
            summary.to,
            summary.cc,
            summary.bcc,
        )
        for column, value in zip(bodies, values, strict=True):
            column.append(value)
    return [*targets, *bodies]
