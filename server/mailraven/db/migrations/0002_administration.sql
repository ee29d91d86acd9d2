-- Administration: domain specs and templates, roles, credentials, sessions, audit, settings, keys, limits, bans, trace.
-- Only expands (docs/architecture.md §Invariants 7).

-- A domain's settings are the template as it was when the domain was made, overlaid by what was set for the domain:
-- a later change of the template touches no domain. Both are sparse documents of mailraven_api.domain.DomainSpec.
ALTER TABLE domain
    ADD COLUMN template   jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN spec       jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN labels     jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN version    bigint NOT NULL DEFAULT 1,      -- rises with each change: the ETag
    ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now();
-- domain.suspended, domain.labels, the alias '*' and domain_alias follow the spec: directory/domains.py writes them all.
UPDATE domain SET spec = '{"status": "suspended"}' WHERE suspended;
UPDATE domain d SET spec = d.spec || jsonb_build_object('catch_all', a.target)
    FROM (SELECT domain_id, min(target) AS target FROM alias WHERE localpart = '*' GROUP BY domain_id) a
    WHERE a.domain_id = d.id;

CREATE TABLE domain_template (
    name       text PRIMARY KEY,                          -- '_default'
    spec       jsonb NOT NULL,
    version    bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO domain_template (name, spec) VALUES ('_default', '{}');

-- Another name of a domain: each address below it is the same address below the domain.
CREATE TABLE domain_alias (
    name       text PRIMARY KEY CHECK (name = lower(name) AND name <> ''),  -- A-labels
    domain_id  bigint NOT NULL REFERENCES domain ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX domain_alias_domain ON domain_alias (domain_id);

ALTER TABLE account
    ADD COLUMN role          text NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'domain-admin', 'super-admin')),
    ADD COLUMN disabled      text[] NOT NULL DEFAULT '{}' -- protocols that refuse this account
               CHECK (disabled <@ ARRAY['smtp', 'imap', 'http', 'receive']),
    ADD COLUMN forwarding    jsonb,                       -- {"targets": [...], "keep_copy": true}; NULL: none
    ADD COLUMN vacation      jsonb,                       -- {"enabled", "subject", "text", "starts_at", "ends_at"}
    ADD COLUMN limits        jsonb NOT NULL DEFAULT '{}', -- overrides, mailraven_api.limits.AccountLimits
    ADD COLUMN labels        jsonb NOT NULL DEFAULT '{}', -- matched by the selectors of limit policies
    ADD COLUMN sending_held  text,                        -- why outgoing mail of this account waits; NULL: it does not
    ADD COLUMN sending_released_at timestamptz,           -- the guard of compromised accounts counts from here on
    ADD COLUMN totp_sealed   bytea,                       -- the secret, sealed (mailraven.sealing)
    ADD COLUMN totp_confirmed_at timestamptz,             -- NULL with a secret: enrolment has begun
    ADD COLUMN totp_last_step bigint NOT NULL DEFAULT 0,  -- RFC 6238 §5.2: a code counts once
    ADD COLUMN credential_version bigint NOT NULL DEFAULT 1, -- rises when a session made before must end
    ADD COLUMN version       bigint NOT NULL DEFAULT 1,
    ADD COLUMN updated_at    timestamptz NOT NULL DEFAULT now();

-- The domains of a domain-admin beside his own.
CREATE TABLE domain_admin (
    account_id bigint NOT NULL REFERENCES account ON DELETE CASCADE,
    domain_id  bigint NOT NULL REFERENCES domain ON DELETE CASCADE,
    PRIMARY KEY (account_id, domain_id)
);
CREATE INDEX domain_admin_domain ON domain_admin (domain_id);

-- 118 random bits: a fast hash is enough, and all of an account's are checked at once.
CREATE TABLE app_password (
    account_id   bigint NOT NULL REFERENCES account ON DELETE CASCADE,
    id           bigint GENERATED ALWAYS AS IDENTITY,
    name         text NOT NULL CHECK (name <> ''),
    sha256       bytea NOT NULL CHECK (length(sha256) = 32),
    protocols    text[] NOT NULL DEFAULT '{smtp,imap}' CHECK (protocols <@ ARRAY['smtp', 'imap']),
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    last_used_at timestamptz,                             -- to the hour
    PRIMARY KEY (account_id, id),
    UNIQUE (account_id, name)
);

CREATE TABLE recovery_code (
    account_id bigint NOT NULL REFERENCES account ON DELETE CASCADE,
    sha256     bytea NOT NULL CHECK (length(sha256) = 32),
    PRIMARY KEY (account_id, sha256)                      -- used: gone
);

-- Senders that an account or a domain (account_id 0) always lets in or never.
CREATE TABLE sender_rule (
    domain_id  bigint NOT NULL REFERENCES domain ON DELETE CASCADE,
    account_id bigint NOT NULL DEFAULT 0,
    sender     text NOT NULL CHECK (sender <> ''),        -- an address, or a domain: "example.org"
    action     text NOT NULL CHECK (action IN ('allow', 'block')),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (domain_id, account_id, sender)
);

ALTER TABLE api_token
    ADD COLUMN role         text NOT NULL DEFAULT 'super-admin' CHECK (role IN ('user', 'domain-admin', 'super-admin')),
    ADD COLUMN account_id   bigint REFERENCES account ON DELETE CASCADE, -- it acts as this account; NULL: a service
    ADD COLUMN domain_ids   bigint[] NOT NULL DEFAULT '{}', -- of a service with role domain-admin
    ADD COLUMN scopes       text[] NOT NULL DEFAULT '{*}',  -- '*', 'read', 'RESOURCE:read', 'RESOURCE:write'
    ADD COLUMN expires_at   timestamptz,
    ADD COLUMN last_used_at timestamptz,                    -- to the minute
    ADD COLUMN created_by   text NOT NULL DEFAULT '';

-- Browser sessions; the cookie is 32 random bytes and never stored.
CREATE TABLE web_session (
    sha256       bytea PRIMARY KEY CHECK (length(sha256) = 32),
    account_id   bigint NOT NULL REFERENCES account ON DELETE CASCADE,
    credential_version bigint NOT NULL,
    csrf_sha256  bytea NOT NULL CHECK (length(csrf_sha256) = 32),
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,                    -- absolute; the idle time-out is a setting
    ip           text NOT NULL DEFAULT '',
    user_agent   text NOT NULL DEFAULT ''
);
CREATE INDEX web_session_account ON web_session (account_id);
CREATE INDEX web_session_expires ON web_session (expires_at);

-- Who did what. Rows can be added, and go after 400 days, nothing else.
CREATE TABLE audit (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT now(),
    actor      text NOT NULL,                             -- an address, "token NAME", "cli", "system"
    ip         text NOT NULL DEFAULT '',
    request_id text NOT NULL DEFAULT '',
    action     text NOT NULL,                             -- "domain.create", "session.login"
    target     text NOT NULL DEFAULT '',                  -- what it was done to
    domain_id  bigint,                                    -- for the admins of that domain
    outcome    text NOT NULL DEFAULT 'ok' CHECK (outcome IN ('ok', 'refused', 'failed')),
    before     jsonb,                                     -- without secrets
    after      jsonb
);
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_domain ON audit (domain_id, id) WHERE domain_id IS NOT NULL;

CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND OLD.at < now() - interval '400 days' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_keep BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_keep_all BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();

-- Settings that change without a restart, one row a group (mailraven_api.settings).
CREATE TABLE setting (
    name       text PRIMARY KEY,
    value      jsonb NOT NULL,
    version    bigint NOT NULL DEFAULT 1,
    changed_by text NOT NULL DEFAULT '',
    changed_at timestamptz NOT NULL DEFAULT now()
);

-- Served by SNI; private keys are sealed with the master key.
CREATE TABLE certificate (
    name        text PRIMARY KEY,
    chain       text NOT NULL,                            -- PEM, leaf first
    key_sealed  bytea NOT NULL,
    names       text[] NOT NULL,                          -- DNS names of the leaf, wildcards as they are
    issuer      text NOT NULL,
    serial      text NOT NULL,
    fingerprint text NOT NULL,                            -- SHA-256 of the leaf, hex
    key_type    text NOT NULL,                            -- rsa-2048, ecdsa-p256, ...
    not_before  timestamptz NOT NULL,
    not_after   timestamptz NOT NULL,
    version     bigint NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);

-- pending -> active -> retired: one active key for each algorithm of a domain; retired ones stay published for a time.
CREATE TABLE dkim_key (
    domain_id      bigint NOT NULL REFERENCES domain ON DELETE CASCADE,
    selector       text NOT NULL CHECK (selector <> ''),
    algorithm      text NOT NULL CHECK (algorithm IN ('rsa', 'ed25519')),
    key_size       integer NOT NULL,                      -- bits
    private_sealed bytea NOT NULL,                        -- PKCS #8 DER
    public_key     text NOT NULL,                         -- base64 as in the p= tag (RFC 6376 §3.6.1, RFC 8463 §4)
    state          text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'active', 'retired')),
    created_at     timestamptz NOT NULL DEFAULT now(),
    activated_at   timestamptz,
    retired_at     timestamptz,
    PRIMARY KEY (domain_id, selector)
);
CREATE UNIQUE INDEX dkim_key_active ON dkim_key (domain_id, algorithm) WHERE state = 'active';

-- RateLimitPolicy resources (mailraven_api.policy).
CREATE TABLE limit_policy (
    name       text PRIMARY KEY,
    spec       jsonb NOT NULL,
    version    bigint NOT NULL DEFAULT 1,
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- Counters of limits: leased in chunks by the processes. Not logged: a charge costs no flush of the WAL; after a crash
-- of Postgres counting begins anew.
CREATE UNLOGGED TABLE limit_counter (
    event          text NOT NULL,
    key            text NOT NULL,
    window_seconds integer NOT NULL,
    used           bigint NOT NULL DEFAULT 0,             -- leases that are not used up included
    ceiling        bigint NOT NULL DEFAULT 0,             -- the limit, of a token bucket the burst, as last asked with
    wanted         bigint NOT NULL DEFAULT 0,             -- what was asked for last
    granted        bigint NOT NULL DEFAULT 0,             -- what was given for it
    started_at     timestamptz NOT NULL DEFAULT now(),    -- of the window; of a token bucket the theoretical arrival time
    PRIMARY KEY (event, key, window_seconds)
) WITH (fillfactor = 50);

-- Networks that are refused at connect, on all pods.
CREATE TABLE ban (
    network    cidr PRIMARY KEY,
    reason     text NOT NULL,
    created_by text NOT NULL DEFAULT '',                  -- '': the server itself
    offences   integer NOT NULL DEFAULT 1,                -- each one bans for longer
    created_at timestamptz NOT NULL DEFAULT now(),
    until      timestamptz                                -- NULL: until it is lifted; past rows are the memory of repeaters
);
CREATE INDEX ban_until ON ban (until);

-- Each change of bans turns a counter that all processes look at every other second, whatever made it.
CREATE FUNCTION ban_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO limit_counter AS c (event, key, window_seconds, used) VALUES ('bans', '', 0, 1)
    ON CONFLICT (event, key, window_seconds) DO UPDATE SET used = c.used + 1, started_at = clock_timestamp();
    PERFORM pg_notify('mailraven_limits', 'bans');
    RETURN NULL;
END $$;
CREATE TRIGGER ban_change AFTER INSERT OR UPDATE OR DELETE ON ban
    FOR EACH STATEMENT EXECUTE FUNCTION ban_changed();

-- Foreign recipients that an account has written to: what the guard of compromised accounts compares with.
CREATE TABLE known_recipient (
    account_id bigint NOT NULL REFERENCES account ON DELETE CASCADE,
    address    text NOT NULL,
    first_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, address)
);
CREATE INDEX known_recipient_first ON known_recipient (account_id, first_at);

-- What happened to a message, from the connection to the mailbox or the remote's reply. Written in batches beside the
-- path of the mail; kept for 30 days.
CREATE TABLE trace_event (
    id         bigint GENERATED ALWAYS AS IDENTITY,
    at         timestamptz NOT NULL,
    trace_id   text NOT NULL,
    kind       text NOT NULL,                             -- mailraven.trace.Kind
    account_id bigint NOT NULL DEFAULT 0,                 -- of the recipient or the submitter; 0: neither is ours
    message_id text NOT NULL DEFAULT '',
    sender     text NOT NULL DEFAULT '',
    recipient  text NOT NULL DEFAULT '',
    peer       text NOT NULL DEFAULT '',                  -- IP of the client, name of the remote MTA
    detail     text NOT NULL DEFAULT '',                  -- the reply in words, the mailbox
    PRIMARY KEY (account_id, at, id)
);
-- Random keys of which few rows are asked for: a hash index takes a quarter less of the time of an INSERT.
CREATE INDEX trace_event_trace ON trace_event USING hash (trace_id);
CREATE INDEX trace_event_message ON trace_event USING hash (message_id) WHERE message_id <> '';
CREATE INDEX trace_event_recipient ON trace_event (recipient, at) WHERE recipient <> '';
CREATE INDEX trace_event_sender ON trace_event (sender, at) WHERE sender <> '';
CREATE INDEX trace_event_at ON trace_event USING brin (at);

ALTER TABLE queue_recipient
    ADD COLUMN held_from  text,                           -- the state before 'held'
    ADD COLUMN held_at    timestamptz,
    ADD COLUMN clock_from timestamptz,                    -- where the time to expiry begins; NULL: created_at of the message
    ADD COLUMN cancelled  text NOT NULL DEFAULT '',       -- by whom: the next worker fails it and writes the DSN
    ADD CONSTRAINT queue_recipient_held_from CHECK ((state = 'held') = (held_from IS NOT NULL AND held_at IS NOT NULL));
CREATE INDEX queue_recipient_held ON queue_recipient (account_id, message_id, id) WHERE state = 'held';
CREATE UNIQUE INDEX queue_message_id ON queue_message (id);
CREATE INDEX account_sending_held ON account (id) WHERE sending_held IS NOT NULL;  -- read by each claim of the queue

-- Answers to POST .../send by Idempotency-Key, for 24 hours.
CREATE TABLE send_request (
    account_id  bigint NOT NULL REFERENCES account ON DELETE CASCADE,
    key         text NOT NULL CHECK (key <> ''),
    fingerprint bytea NOT NULL CHECK (length(fingerprint) = 32),  -- of the request: a key goes with one of them
    answer      jsonb NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, key)
);
CREATE INDEX send_request_created ON send_request (created_at);
CREATE INDEX queue_recipient_domain ON queue_recipient (domain, state);
