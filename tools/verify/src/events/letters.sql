-- The dead letters that events have become.
--
-- $1 ids of the events.
SELECT event_id, id, reason
FROM dead_letters
WHERE event_id = ANY ($1::uuid[])
ORDER BY event_id
