-- The lowest event id whose deduplication record is kept; null if all are kept.
SELECT (SELECT lowest_event_id FROM dedupe_memory WHERE id = 1)
