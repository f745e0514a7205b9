-- Notes orders, products and users of which an external event tells first, and by which
-- event they are created.
--
-- $1 topics; $2 ids; $3 events that create them, null of those that change them.
INSERT INTO external_aggregates (topic, aggregate_id, created_by)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::uuid[])
ON CONFLICT (topic, aggregate_id) DO UPDATE
SET created_by = excluded.created_by
WHERE excluded.created_by IS NOT NULL
