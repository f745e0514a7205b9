-- The next events of a range of the history, up to a number of rows or bytes. The publisher
-- sends those that are not published yet.
--
-- $1 and $2 lowest (exclusive) and highest id; $3 start, $4 end (exclusive), $5 topic, each of
-- which may be null; $6 maximum number of rows; $7 maximum number of bytes as stored, see next.sql.
SELECT
    id AS "id!",
    topic AS "topic!",
    payload ->> 'eventType' AS "event_type!",
    created_at AS "created_at!",
    payload::text AS "payload!",
    stored_bytes AS "stored_bytes!"
FROM (
    SELECT
        id,
        topic,
        created_at,
        payload,
        sum(pg_column_size(payload)) OVER (ORDER BY id) AS stored_bytes
    FROM (
        SELECT id, topic, created_at, payload
        FROM outbox
        WHERE id > $1
            AND id <= $2
            AND published_at IS NOT NULL
            AND ($3::timestamptz IS NULL OR created_at >= $3)
            AND ($4::timestamptz IS NULL OR created_at < $4)
            AND ($5::text IS NULL OR topic = $5)
        ORDER BY id
        LIMIT $6
    ) AS range_rows
) AS page
WHERE stored_bytes - pg_column_size(payload) < $7
ORDER BY id
