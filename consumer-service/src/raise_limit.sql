-- Raises the time since which all deduplication records are kept, and returns it. Returns no
-- row if there is nothing to prune, or if events are known to be missing. A missing row is
-- inserted, because an operator may have emptied the table.
--
-- $1 the new time, $2 the lowest event id of that time; $3 and $4 time and event id below
-- which records may be pruned.
INSERT INTO dedupe_memory AS memory (id, since, lowest_event_id)
SELECT 1, $1::timestamptz, $2::uuid
WHERE EXISTS (SELECT FROM processed_events WHERE event_id < $4 AND processed_at < $3)
    AND NOT EXISTS (
        SELECT
        FROM topic_progress AS progress
        JOIN watermarks USING (topic)
        WHERE watermarks.committed > progress.seen
    )
ON CONFLICT (id) DO UPDATE
SET since = greatest(memory.since, excluded.since),
    lowest_event_id = greatest(memory.lowest_event_id, excluded.lowest_event_id)
RETURNING since AS "since!"
