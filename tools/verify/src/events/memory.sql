-- The lowest id of the events that are all remembered; null: all are.
SELECT (SELECT lowest_event_id FROM dedupe_memory WHERE id = 1)
