-- Runs of backups: what the API shows of them, and how old the last good one is.
CREATE TABLE backup_run (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    actor        text NOT NULL,                            -- who started it
    target       text NOT NULL,                            -- without credentials: those are in the settings
    state        text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done', 'failed')),
    phase        text NOT NULL DEFAULT '',
    done         bigint NOT NULL DEFAULT 0,
    total        bigint NOT NULL DEFAULT 0,                -- 0: not known
    unit         text NOT NULL DEFAULT '',
    name         text NOT NULL DEFAULT '',                 -- of the backup that was made
    bodies       bigint NOT NULL DEFAULT 0,
    body_octets  bigint NOT NULL DEFAULT 0,
    added_octets bigint NOT NULL DEFAULT 0,
    error        text NOT NULL DEFAULT '',
    started_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),       -- a running one that is silent for ten minutes was killed
    finished_at  timestamptz
);
CREATE INDEX backup_run_finished ON backup_run (finished_at) WHERE state = 'done';
