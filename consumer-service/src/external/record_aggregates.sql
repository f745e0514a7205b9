-- Records orders, products and users that an external event named first, with the event that
-- created them.
--
-- $1 topics; $2 ids; $3 the creating events, null if the event only changes the aggregate.
INSERT INTO external_aggregates (topic, aggregate_id, created_by)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::uuid[])
ON CONFLICT (topic, aggregate_id) DO UPDATE
SET created_by = excluded.created_by
WHERE excluded.created_by IS NOT NULL
