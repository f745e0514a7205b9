-- The events of a stretch of history, in whatever order they lie on the disk. Those
-- that were never published are the publisher's.
--
-- $1 from, $2 to, $3 topic; each may be null.
SELECT
    id,
    topic,
    payload ->> 'eventType' AS "event_type!",
    created_at,
    payload::text AS "payload!"
FROM outbox
WHERE published_at IS NOT NULL
    AND ($1::timestamptz IS NULL OR created_at >= $1)
    AND ($2::timestamptz IS NULL OR created_at < $2)
    AND ($3::text IS NULL OR topic = $3)
