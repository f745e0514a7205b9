-- Commands that may be sent twice, and history that is published again.

-- The answers to accepted commands that came with an Idempotency-Key, written in
-- the command's own transaction. Whoever sends a command again is given the answer
-- again. Of two that run at once the primary key refuses the second one, and with
-- it all that it did. It is the last that a transaction writes, so nobody who waits
-- for it here holds what the other one still needs.
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

-- They are forgotten after a day, the oldest first.
CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at);

-- A stretch of history, for publishing it again. Rows stay where they are, about in
-- the order of time, so an index of a few kilobytes is enough, and costs an insert
-- next to nothing.
CREATE INDEX outbox_created_at ON outbox USING brin (created_at) WITH (autosummarize = on);
