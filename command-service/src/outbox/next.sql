-- The next batch of each topic: its first unpublished rows by id, up to a number of rows or
-- bytes. They are not sorted again, as consumers need no order. The row that passes the
-- limit of bytes is still part of its batch, so that an event of any size is published.
--
-- Rows are compared and ordered by topic and id together, which only the partial index can
-- serve: with `topic = …` and the order of ids, the planner may walk the primary key, and
-- with it the whole history.
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
        sum(pg_column_size(payload)) OVER (ORDER BY topic, id) AS stored_bytes
    FROM (
        SELECT topic, id, created_at, payload
        FROM outbox
        WHERE published_at IS NULL
            AND (topic, id) >= (wanted.topic, wanted.lowest_id)
            AND (topic, id) <= (wanted.topic, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
        ORDER BY topic, id
        LIMIT $3
    ) AS waiting
) AS batch
WHERE batch.stored_bytes - pg_column_size(batch.payload) < $4
