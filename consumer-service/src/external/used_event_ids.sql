-- Earlier uses of event ids: processed events, with the digest of an external event, and dead
-- letters, with the digest of their bytes.
--
-- $1 event ids.
SELECT event_id AS "event_id!", TRUE AS "processed!", digest
FROM processed_events
WHERE event_id = ANY ($1)
UNION ALL
SELECT event_id, FALSE, body_sha256
FROM dead_letters
WHERE event_id = ANY ($1)
