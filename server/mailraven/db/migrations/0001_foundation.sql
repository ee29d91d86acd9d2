-- Foundation: domains, accounts, mailboxes, messages, bodies, the outbound queue, leases.
-- Rules (docs/architecture.md §Storage): every table that grows with mail leads its primary key with
-- account_id; a later migration only expands, and contracts one release later.

CREATE TABLE domain (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL UNIQUE CHECK (name = lower(name) AND name <> ''),  -- A-labels, no trailing dot
    suspended   boolean NOT NULL DEFAULT false,
    created_at  timestamptz NOT NULL DEFAULT now()
);

-- account.id leads the key of everything that grows with mail.
CREATE TABLE account (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    domain_id     bigint NOT NULL REFERENCES domain,
    localpart     text NOT NULL CHECK (localpart <> ''),  -- canonical form: NFC, lower case
    display_name  text NOT NULL DEFAULT '',
    password_hash text,                                   -- argon2id PHC string; NULL: no login by password
    suspended     boolean NOT NULL DEFAULT false,
    quota_bytes   bigint CHECK (quota_bytes > 0),         -- NULL: unlimited
    -- UIDVALIDITY of the next mailbox made or made again: rises with each, so that none is ever reused.
    uidvalidity_next bigint NOT NULL DEFAULT extract(epoch FROM now())::bigint,
    created_at    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (domain_id, localpart)
);

-- One row for each target of an alias; a target is an address, ours or foreign.
CREATE TABLE alias (
    domain_id   bigint NOT NULL REFERENCES domain ON DELETE CASCADE,
    localpart   text NOT NULL CHECK (localpart <> ''),
    target      text NOT NULL CHECK (target LIKE '_%@_%'),
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (domain_id, localpart, target)
);

CREATE TABLE mailbox (
    account_id  bigint NOT NULL REFERENCES account,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    name        text NOT NULL CHECK (name <> ''),         -- UTF-8, NFC, '/' between levels, INBOX in capitals
    special_use text CHECK (special_use IN ('\Sent', '\Drafts', '\Trash', '\Junk', '\Archive')),
    uidvalidity bigint NOT NULL CHECK (uidvalidity BETWEEN 1 AND 4294967295),
    uidnext     bigint NOT NULL DEFAULT 1 CHECK (uidnext BETWEEN 1 AND 4294967296),
    modseq      bigint NOT NULL DEFAULT 1,                -- HIGHESTMODSEQ (RFC 7162 §3.1.2.1)
    recent_uid  bigint NOT NULL DEFAULT 1,                -- UIDs from here on are \Recent to the next SELECT
    messages    bigint NOT NULL DEFAULT 0 CHECK (messages >= 0),
    unseen      bigint NOT NULL DEFAULT 0 CHECK (unseen >= 0),
    deleted     bigint NOT NULL DEFAULT 0 CHECK (deleted >= 0),
    bytes       bigint NOT NULL DEFAULT 0 CHECK (bytes >= 0),
    keywords    text[] NOT NULL DEFAULT '{}' CHECK (cardinality(keywords) <= 58), -- element i (from 1) is bit 4+i of flags
    PRIMARY KEY (account_id, id),
    UNIQUE (account_id, name)
) WITH (fillfactor = 40);  -- updated by each delivery: leave room for HOT updates

CREATE TABLE subscription (
    account_id  bigint NOT NULL REFERENCES account ON DELETE CASCADE,
    name        text NOT NULL,                            -- may name a mailbox that does not exist (RFC 3501 §6.3.6)
    PRIMARY KEY (account_id, name)
);

-- Message bytes, or where they are. Several messages, also of other accounts, may share one body:
-- account_id is that of the first recipient (or the submitter) and routes the look-up.
CREATE TABLE body (
    account_id     bigint NOT NULL,
    id             bigint NOT NULL,                       -- from body_id_seq
    size           bigint NOT NULL CHECK (size >= 0),
    sha256         bytea NOT NULL CHECK (length(sha256) = 32),
    inline         bytea,                                 -- location inline
    object_key     text,                                  -- location object(key), or with an offset
    segment_offset bigint,                                -- segment(key, offset, size)
    created_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, id),
    CHECK (num_nonnulls(inline, object_key) = 1),
    CHECK (segment_offset IS NULL OR object_key IS NOT NULL)
);
ALTER TABLE body ALTER COLUMN inline SET STORAGE EXTERNAL;  -- never pglz: mail is base64 or short
CREATE SEQUENCE body_id_seq INCREMENT BY 64 CACHE 1;        -- a process takes ids in blocks of 64

-- Immutable facts of a message in a mailbox.
CREATE TABLE message (
    account_id      bigint NOT NULL,
    mailbox_id      bigint NOT NULL,
    uid             bigint NOT NULL CHECK (uid BETWEEN 1 AND 4294967295),
    body_account_id bigint NOT NULL,
    body_id         bigint NOT NULL,
    size            bigint NOT NULL,                      -- RFC822.SIZE, octets, prefix included
    prefix          bytea NOT NULL DEFAULT '',            -- header lines put before the body at final delivery (Return-Path, Delivered-To)
    internal_date   timestamptz NOT NULL,
    saved_at        timestamptz NOT NULL DEFAULT now(),
    sent_at         timestamptz,                          -- the Date header, when it can be read
    sent_date       date,                                 -- its date as written, whatever its zone (SENTON)
    envelope        bytea NOT NULL,                       -- wire form (RFC 9051 §7.5.2)
    bodystructure   bytea NOT NULL,                       -- wire form, extensible
    message_id      text NOT NULL DEFAULT '',
    -- decoded, case-folded text of header fields, for SEARCH
    subject_text    text NOT NULL DEFAULT '',
    from_text       text NOT NULL DEFAULT '',
    to_text         text NOT NULL DEFAULT '',
    cc_text         text NOT NULL DEFAULT '',
    bcc_text        text NOT NULL DEFAULT '',
    -- No foreign key to mailbox: each insert runs under that row's lock, and the check costs as much as the insert.
    PRIMARY KEY (account_id, mailbox_id, uid)
);
ALTER TABLE message ALTER COLUMN envelope SET STORAGE MAIN, ALTER COLUMN bodystructure SET STORAGE MAIN;
CREATE INDEX message_body ON message (body_account_id, body_id);

-- Mutable facts: narrow rows, no index but the key, so that updates stay HOT.
-- flags: bit 0 \Seen, 1 \Answered, 2 \Flagged, 3 \Deleted, 4 \Draft, 5..62 the mailbox's keywords.
CREATE TABLE message_flags (
    account_id  bigint NOT NULL,
    mailbox_id  bigint NOT NULL,
    uid         bigint NOT NULL,
    flags       bigint NOT NULL DEFAULT 0,
    modseq      bigint NOT NULL,
    PRIMARY KEY (account_id, mailbox_id, uid)
) WITH (fillfactor = 50);

-- One row for each change of flags or expunge of a mailbox; deliveries need none (their UIDs ascend).
-- UID sets are in IMAP's own notation. Tombstones for QRESYNC (RFC 7162 §3.2.5) until compacted.
CREATE TABLE mailbox_change (
    account_id  bigint NOT NULL,
    mailbox_id  bigint NOT NULL,
    modseq      bigint NOT NULL,
    changed     text NOT NULL DEFAULT '',
    expunged    text NOT NULL DEFAULT '',
    at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, mailbox_id, modseq),
    FOREIGN KEY (account_id, mailbox_id) REFERENCES mailbox ON DELETE CASCADE
);

-- Bodies that lost a reference; the collector deletes those without any, after a grace period.
CREATE TABLE body_release (
    account_id  bigint NOT NULL,
    body_id     bigint NOT NULL,
    released_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX body_release_at ON body_release (released_at);

-- Decoded, case-folded text of a body, for SEARCH BODY and TEXT; filled when first searched.
CREATE TABLE body_text (
    account_id  bigint NOT NULL,
    body_id     bigint NOT NULL,
    header      text NOT NULL,                            -- one line a field: name:value
    text        text NOT NULL,
    PRIMARY KEY (account_id, body_id),
    FOREIGN KEY (account_id, body_id) REFERENCES body ON DELETE CASCADE
);

-- Outbound queue. account_id: the submitter; for DSNs and other mail of the system the account they are about.
CREATE TABLE queue_message (
    account_id      bigint NOT NULL,
    id              bigint GENERATED BY DEFAULT AS IDENTITY,
    body_account_id bigint NOT NULL,
    body_id         bigint NOT NULL,
    return_path     text NOT NULL,                        -- '' is the null reverse-path
    smtputf8        boolean NOT NULL DEFAULT false,
    eight_bit       boolean NOT NULL DEFAULT false,       -- BODY=8BITMIME was declared or 8-bit octets are in it
    envelope_id     text NOT NULL DEFAULT '',             -- DSN ENVID (RFC 3461 §4.4)
    trace_id        text NOT NULL,                        -- the request id of the session that brought it
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, id)
);
CREATE INDEX queue_message_body ON queue_message (body_account_id, body_id);

-- queued -> attempting -> delivered | deferred | failed | expired;  deferred -> attempting;  any waiting one <-> held
CREATE TABLE queue_recipient (
    account_id   bigint NOT NULL,
    message_id   bigint NOT NULL,
    id           bigint GENERATED BY DEFAULT AS IDENTITY,
    recipient    text NOT NULL CHECK (recipient LIKE '_%@_%'),
    domain       text NOT NULL,                           -- routing key: A-labels, lower case
    state        text NOT NULL DEFAULT 'queued'
                 CHECK (state IN ('queued', 'attempting', 'delivered', 'deferred', 'failed', 'expired', 'held')),
    attempts     integer NOT NULL DEFAULT 0,
    due_at       timestamptz NOT NULL DEFAULT now(),
    lease_token  text,                                    -- of the worker that is attempting
    lease_epoch  bigint NOT NULL DEFAULT 0,               -- fencing: rises with each claim, checked by each write
    leased_until timestamptz,
    last_reply   text NOT NULL DEFAULT '',
    last_status  text NOT NULL DEFAULT '',                -- enhanced status code (RFC 3463)
    remote_mta   text NOT NULL DEFAULT '',
    delay_warned boolean NOT NULL DEFAULT false,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, message_id, id),
    FOREIGN KEY (account_id, message_id) REFERENCES queue_message ON DELETE CASCADE,
    CHECK ((state = 'attempting') = (lease_token IS NOT NULL AND leased_until IS NOT NULL))
);
CREATE INDEX queue_recipient_due ON queue_recipient (due_at, account_id, message_id, id) WHERE state IN ('queued', 'deferred');
CREATE INDEX queue_recipient_leased ON queue_recipient (leased_until) WHERE state = 'attempting';

-- What must happen once at a time takes a row here; token is random for each process start, epoch fences.
CREATE TABLE lease (
    name         text PRIMARY KEY,
    token        text NOT NULL,
    epoch        bigint NOT NULL DEFAULT 1,
    leased_until timestamptz NOT NULL
);

-- Service credentials; the token itself is 32 random bytes and never stored.
CREATE TABLE api_token (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL UNIQUE,
    sha256      bytea NOT NULL UNIQUE CHECK (length(sha256) = 32),
    created_at  timestamptz NOT NULL DEFAULT now()
);
