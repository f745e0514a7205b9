-- Events that are applied (is_applied) or dead letters. Pending events are left out.
--
-- $1 event ids. An event older than the deduplication records counts as applied, unless it is
-- a dead letter.
SELECT
    requested.id AS "event_id!",
    processed.event_id IS NOT NULL OR memory.id IS NOT NULL AS "is_applied!"
FROM unnest($1::uuid[]) AS requested (id)
LEFT JOIN processed_events AS processed ON processed.event_id = requested.id
LEFT JOIN dead_letters AS dead_letter ON dead_letter.event_id = requested.id
LEFT JOIN dedupe_memory AS memory
    ON memory.id = 1 AND requested.id < memory.lowest_event_id AND dead_letter.id IS NULL
WHERE processed.event_id IS NOT NULL OR dead_letter.id IS NOT NULL OR memory.id IS NOT NULL
