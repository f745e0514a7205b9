-- Every event that the read side has dealt with: applied, or parked. `counted`:
-- the copy of our own outbox was seen, rather than one that somebody else sent.
SELECT event_id AS id, counted, FALSE AS parked
FROM processed_events
UNION ALL
-- One of ours that was not counted is older than the memory of processed events:
-- whether the views have it is to be seen in them.
SELECT event_id, counted, counted
FROM dead_letters
WHERE event_id IS NOT NULL AND ours
ORDER BY id
