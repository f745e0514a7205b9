-- Events that the read side has processed: applied, or stored as dead letters. `counted` is true
-- if the copy from our own outbox has arrived, not only an external copy.
SELECT event_id AS id, counted, FALSE AS is_dead_letter
FROM processed_events
UNION ALL
-- A dead letter of ours that is not counted is older than the deduplication records. The
-- comparison of the views shows whether it was applied.
SELECT event_id, counted, counted
FROM dead_letters
WHERE event_id IS NOT NULL AND ours
ORDER BY id
