-- What is kept of external events: those that our publisher did not send.
SET LOCAL search_path = live, public;

-- SHA-256 of what an external event says; null of our own events, and of those that were
-- processed before this column. The same id with another content is another event.
ALTER TABLE processed_events
ADD COLUMN digest BYTEA;

-- Orders, products and users of which an external event told first. created_by is the
-- event that created it, null until that has come. Whatever else a view has is the
-- shop's own, and no external event creates it again.
CREATE TABLE external_aggregates (
    topic        TEXT NOT NULL,
    aggregate_id BIGINT NOT NULL,
    created_by   UUID,
    PRIMARY KEY (topic, aggregate_id)
);

-- AMQP type, application and content encoding of the message: with these a letter is
-- read again exactly as it was when it came.
ALTER TABLE dead_letters
ADD COLUMN kind TEXT,
ADD COLUMN app_id TEXT,
ADD COLUMN content_encoding TEXT;
