-- Commands that may be sent twice.

-- The answers to accepted commands that came with an Idempotency-Key, written in
-- the command's own transaction. Whoever sends a command again is given the answer
-- again. Of two that run at once the primary key refuses the second one, and with
-- it all that it did. It is written when the transaction has locked what it changes, so
-- whoever waits for it here is not waited for by the other one.
CREATE TABLE idempotency_keys (
    -- Method and path of the call, and who called: a key means nothing elsewhere.
    scope       TEXT NOT NULL,
    caller      TEXT NOT NULL,
    key         TEXT NOT NULL,
    -- SHA-256 of the request's body: the same key with another body is a mistake.
    body_sha256 BYTEA NOT NULL,
    -- The answer.
    status      SMALLINT NOT NULL,
    event_id    UUID NOT NULL,
    location    TEXT,
    body        TEXT NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (key, scope, caller)
);

-- Their room is to be used again soon, rather than when a fifth of the table is gone.
ALTER TABLE idempotency_keys
SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 10000);

-- They are forgotten after a day, the oldest first.
CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at);
