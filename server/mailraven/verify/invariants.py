"""The invariants of docs/architecture.md as queries: each finds what must not be, and says how it is mended.

Each runs in a statement of its own while the server works: every row it looks at is of one moment.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Invariant:
    """`broken` gives rows (what, ids...); `repair` takes the ids as arrays, column by column."""

    name: str
    text: str
    broken: str
    ids: tuple[str, ...] = ()
    repair: str = ""


_COUNTED = """
SELECT m.account_id, m.mailbox_id, count(*) AS messages, count(*) FILTER (WHERE f.flags & 1 = 0) AS unseen,
       count(*) FILTER (WHERE f.flags & 8 <> 0) AS deleted, sum(m.size) AS bytes,
       max(m.uid) AS last_uid, max(f.modseq) AS last_modseq
  FROM message m JOIN message_flags f USING (account_id, mailbox_id, uid)
"""

INVARIANTS = (
    Invariant(
        "counters",
        "counters of a mailbox differ from its messages",
        f"""SELECT format('mailbox %s/%s', b.account_id, b.id) AS what, b.account_id, b.id AS mailbox_id
              FROM mailbox b LEFT JOIN ({_COUNTED} GROUP BY 1, 2) r ON r.account_id = b.account_id AND r.mailbox_id = b.id
             WHERE (b.messages, b.unseen, b.deleted, b.bytes) IS DISTINCT FROM
                   (coalesce(r.messages, 0), coalesce(r.unseen, 0), coalesce(r.deleted, 0), coalesce(r.bytes, 0)::bigint)""",  # noqa: S608, E501 - names written in the program
        ("account_id", "mailbox_id"),
        # Counted again under the mailbox's lock, which every change of mail takes first.
        f"""WITH locked AS MATERIALIZED (
                SELECT b.account_id, b.id FROM mailbox b JOIN unnest($1::bigint[], $2::bigint[]) AS w(account_id, id)
                    USING (account_id, id) ORDER BY b.account_id, b.id FOR UPDATE)
            UPDATE mailbox b SET messages = coalesce(r.messages, 0), unseen = coalesce(r.unseen, 0),
                   deleted = coalesce(r.deleted, 0), bytes = coalesce(r.bytes, 0)
              FROM locked l LEFT JOIN LATERAL ({_COUNTED} WHERE m.account_id = l.account_id AND m.mailbox_id = l.id
                   GROUP BY 1, 2) r ON true
             WHERE b.account_id = l.account_id AND b.id = l.id""",  # noqa: S608 - names written in the program
    ),
    Invariant(
        "uids",
        "a UID or MODSEQ is beyond what its mailbox has given out",
        f"""SELECT format('mailbox %s/%s', b.account_id, b.id) AS what, b.account_id, b.id AS mailbox_id
              FROM mailbox b JOIN ({_COUNTED} GROUP BY 1, 2) r ON r.account_id = b.account_id AND r.mailbox_id = b.id
             WHERE b.uidnext <= r.last_uid OR b.modseq < r.last_modseq""",  # noqa: S608 - names written in the program
        ("account_id", "mailbox_id"),
        """UPDATE mailbox b SET uidnext = greatest(b.uidnext, coalesce((SELECT max(uid) + 1 FROM message m
                  WHERE m.account_id = b.account_id AND m.mailbox_id = b.id), 1)),
                  modseq = greatest(b.modseq, coalesce((SELECT max(modseq) FROM message_flags f
                  WHERE f.account_id = b.account_id AND f.mailbox_id = b.id), 1))
             FROM unnest($1::bigint[], $2::bigint[]) AS w(account_id, id)
            WHERE b.account_id = w.account_id AND b.id = w.id""",
    ),
    Invariant(
        "uidvalidity",
        "an account would give out a UIDVALIDITY again",
        """SELECT format('account %s', c.id) AS what, c.id AS account_id FROM account c
            WHERE c.uidvalidity_next <= (SELECT max(uidvalidity) FROM mailbox m WHERE m.account_id = c.id)""",
        ("account_id",),
        """UPDATE account c
              SET uidvalidity_next = 1 + (SELECT max(uidvalidity) FROM mailbox m WHERE m.account_id = c.id)
            WHERE c.id = ANY ($1::bigint[])""",
    ),
    Invariant(
        "flags",
        "a message without flags",
        """SELECT format('message %s/%s/%s', account_id, mailbox_id, uid) AS what, account_id, mailbox_id, uid
             FROM message m WHERE NOT EXISTS (SELECT FROM message_flags f WHERE f.account_id = m.account_id
                  AND f.mailbox_id = m.mailbox_id AND f.uid = m.uid)""",
        ("account_id", "mailbox_id", "uid"),
        """INSERT INTO message_flags (account_id, mailbox_id, uid, flags, modseq)
           SELECT w.account_id, w.mailbox_id, w.uid, 0, b.modseq
             FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS w(account_id, mailbox_id, uid)
             JOIN mailbox b ON b.account_id = w.account_id AND b.id = w.mailbox_id ON CONFLICT DO NOTHING""",
    ),
    Invariant(
        "stray flags",
        "flags without a message",
        """SELECT format('message %s/%s/%s', account_id, mailbox_id, uid) AS what, account_id, mailbox_id, uid
             FROM message_flags f WHERE NOT EXISTS (SELECT FROM message m WHERE m.account_id = f.account_id
                  AND m.mailbox_id = f.mailbox_id AND m.uid = f.uid)""",
        ("account_id", "mailbox_id", "uid"),
        """DELETE FROM message_flags f USING unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS w(a, b, u)
            WHERE f.account_id = w.a AND f.mailbox_id = w.b AND f.uid = w.u""",
    ),
    Invariant(
        "mailboxes",
        "a message in a mailbox that does not exist",
        """SELECT format('message %s/%s/%s', account_id, mailbox_id, uid) AS what FROM message m
            WHERE NOT EXISTS (SELECT FROM mailbox b WHERE b.account_id = m.account_id AND b.id = m.mailbox_id)""",
    ),
    Invariant(
        "bodies",
        "a message whose body is gone or has another size",
        """SELECT format('message %s/%s/%s', m.account_id, m.mailbox_id, m.uid) AS what FROM message m
             LEFT JOIN body b ON b.account_id = m.body_account_id AND b.id = m.body_id
            WHERE b.id IS NULL OR m.size <> b.size + length(m.prefix)""",
    ),
    Invariant(
        "inline digests",
        "octets in Postgres that are not what their digest says",
        """SELECT format('body %s/%s', account_id, id) AS what FROM body
            WHERE inline IS NOT NULL AND (sha256(inline) <> sha256 OR length(inline) <> size)""",
    ),
    Invariant(
        "unreferenced bodies",
        "a body that nothing refers to and the collector does not know of",
        """SELECT format('body %s/%s', account_id, id) AS what, account_id, id FROM body b
            WHERE created_at < now() - interval '1 hour'
              AND NOT EXISTS (SELECT FROM message m WHERE m.body_account_id = b.account_id AND m.body_id = b.id)
              AND NOT EXISTS (SELECT FROM queue_message q WHERE q.body_account_id = b.account_id AND q.body_id = b.id)
              AND NOT EXISTS (SELECT FROM body_release r WHERE r.account_id = b.account_id AND r.body_id = b.id)""",
        ("account_id", "id"),
        "INSERT INTO body_release (account_id, body_id) SELECT * FROM unnest($1::bigint[], $2::bigint[])",
    ),
    Invariant(
        "queue bodies",
        "a message in the queue whose body is gone",
        """SELECT format('queue %s/%s', q.account_id, q.id) AS what FROM queue_message q
            WHERE NOT EXISTS (SELECT FROM body b WHERE b.account_id = q.body_account_id AND b.id = q.body_id)""",
    ),
    Invariant(
        "queue leases",
        "a recipient whose worker has been gone for an hour: no delivery role is running",
        """SELECT format('queue %s/%s', account_id, message_id) AS what FROM queue_recipient
            WHERE state = 'attempting' AND leased_until < now() - interval '1 hour'""",
    ),
)
