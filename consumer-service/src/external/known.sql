-- What is known of event ids: whether they were processed, with the digest of an external
-- event; and the digests of the bytes of dead letters.
--
-- $1 event ids.
SELECT event_id AS "event_id!", TRUE AS "processed!", digest
FROM processed_events
WHERE event_id = ANY ($1)
UNION ALL
SELECT event_id, FALSE, body_sha256
FROM dead_letters
WHERE event_id = ANY ($1)
