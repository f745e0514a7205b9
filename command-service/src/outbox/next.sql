-- The next batch of each topic: its first unpublished rows by id, up to a number of rows or
-- bytes. The result is not sorted, because consumers need no order. The row that exceeds the
-- limit of bytes belongs to the batch, so that an event of any size is published.
--
-- Rows are compared and ordered by topic and id together, which only the partial index supports.
-- With `topic = …` and an order by id, the planner may scan the primary key, and so the whole
-- history.
--
-- $1 topics; $2 lowest id of each; $3 maximum number of rows of a topic; $4 maximum
-- number of bytes as stored, which can be summed without decompressing payloads.
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
