-- Every event that the read side has dealt with: applied, or parked. `counted`:
-- the copy of our own outbox was seen, rather than one that somebody else sent.
SELECT event_id AS id, counted, FALSE AS parked
FROM processed_events
UNION ALL
SELECT event_id, counted, TRUE
FROM dead_letters
WHERE event_id IS NOT NULL
ORDER BY id
