-- The next events of a stretch of history. Those that were never published are the
-- publisher's.
--
-- $1 and $2 ids between which they are to be looked for; $3 from, $4 to, $5 topic, each
-- of which may be null; $6 how many.
SELECT
    id,
    topic,
    payload ->> 'eventType' AS "event_type!",
    created_at,
    payload::text AS "payload!"
FROM outbox
WHERE id > $1
    AND id <= $2
    AND published_at IS NOT NULL
    AND ($3::timestamptz IS NULL OR created_at >= $3)
    AND ($4::timestamptz IS NULL OR created_at < $4)
    AND ($5::text IS NULL OR topic = $5)
ORDER BY id
LIMIT $6
