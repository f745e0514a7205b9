-- The next batch of each topic: its unpublished rows in the order of ids, up to a number
-- of rows or bytes. The row that passes the limit of bytes is still part of it, so that
-- an event of any size is published.
--
-- $1 topics; $2 of each, the lowest id to look for; $3 most rows of a topic; $4 bytes
-- as stored: their sum needs no payload to be decompressed.
SELECT
    batch.id AS "id!",
    wanted.topic AS "topic!",
    batch.payload ->> 'eventType' AS "event_type!",
    batch.created_at AS "created_at!",
    batch.payload::text AS "payload!",
    batch.stored_bytes AS "stored_bytes!"
FROM unnest($1::text[], $2::uuid[]) AS wanted (topic, lowest_id)
CROSS JOIN LATERAL (
    SELECT
        id,
        created_at,
        payload,
        sum(pg_column_size(payload)) OVER (ORDER BY id) AS stored_bytes
    FROM (
        SELECT id, created_at, payload
        FROM outbox
        WHERE topic = wanted.topic
            AND published_at IS NULL
            AND id >= wanted.lowest_id
        ORDER BY id
        LIMIT $3
    ) AS waiting
) AS batch
WHERE batch.stored_bytes - pg_column_size(batch.payload) < $4
ORDER BY wanted.topic, batch.id
