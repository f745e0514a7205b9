-- What operators need to know of dead letters, and how far back the memory of
-- processed events goes.
SET LOCAL search_path = live, public;

-- With these a letter is read again exactly as it was when it came. `ours`: it is the
-- copy from our own outbox. Most such letters are counted as well; but of one that is
-- older than the memory nobody knows whether it was counted when it was applied, if it
-- was. (A consumer service of before, still running, does not say it.)
ALTER TABLE dead_letters
ADD COLUMN ours BOOLEAN NOT NULL DEFAULT FALSE,
-- Whether it was parked for being older than the memory: then, and only then, it may
-- have been applied before.
ADD COLUMN forgotten BOOLEAN NOT NULL DEFAULT FALSE,
ADD COLUMN message_id TEXT,
ADD COLUMN sent_at TIMESTAMPTZ;

UPDATE dead_letters
SET ours = TRUE
WHERE counted;

-- Since when all events are remembered in processed_events; null: always. An event
-- from before that is not there may have been applied or not, so it is parked. It
-- only ever rises, under the exclusive form of the lock that every transaction that
-- applies events shares, and before anything is removed.
CREATE TABLE dedupe_memory (
    id              INTEGER PRIMARY KEY CHECK (id = 1),
    since           TIMESTAMPTZ,
    -- The lowest UUIDv7 of that time.
    lowest_event_id UUID,
    CHECK ((since IS NULL) = (lowest_event_id IS NULL))
);

INSERT INTO dedupe_memory (id) VALUES (1);

-- What is removed there is removed in small batches; its room is to be used again
-- soon, rather than when a fifth of the table is gone.
ALTER TABLE processed_events
SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 10000);
