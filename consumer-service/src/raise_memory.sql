-- Raises the time since when all events are remembered, and returns it; no row if there
-- is nothing to be forgotten yet, or events are known to be missing.
--
-- $1 since when, $2 its lowest id; $3 and $4 the same of what may be removed.
UPDATE dedupe_memory
SET since = greatest(since, $1), lowest_event_id = greatest(lowest_event_id, $2)
WHERE id = 1
    AND EXISTS (SELECT FROM processed_events WHERE event_id < $4 AND processed_at < $3)
    AND NOT EXISTS (
        SELECT
        FROM topic_progress AS progress
        JOIN watermarks USING (topic)
        WHERE watermarks.committed > progress.seen
    )
RETURNING since AS "since!"
