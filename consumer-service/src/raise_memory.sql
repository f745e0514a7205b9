-- Raises the time since when all events are remembered, and returns it; no row if there
-- is nothing to be forgotten yet, or events are known to be missing. The row is there
-- unless somebody has emptied the table.
--
-- $1 since when, $2 its lowest id; $3 and $4 the same of what may be removed.
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
