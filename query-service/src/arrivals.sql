-- Those of the events that have arrived: in the views (is_shown), or as dead letters.
--
-- $1 event ids. What is older than the memory of processed events is not there any
-- more, and counts as shown.
SELECT wanted.id AS "event_id!", processed.event_id IS NOT NULL OR memory.id IS NOT NULL AS "is_shown!"
FROM unnest($1::uuid[]) AS wanted (id)
LEFT JOIN processed_events AS processed ON processed.event_id = wanted.id
LEFT JOIN dead_letters AS letter ON letter.event_id = wanted.id
LEFT JOIN dedupe_memory AS memory
    ON memory.id = 1 AND wanted.id < memory.lowest_event_id AND letter.id IS NULL
WHERE processed.event_id IS NOT NULL OR letter.id IS NOT NULL OR memory.id IS NOT NULL
