-- The dead letters of events.
--
-- $1 event ids.
SELECT event_id, id, reason
FROM dead_letters
WHERE event_id = ANY ($1::uuid[])
ORDER BY event_id
