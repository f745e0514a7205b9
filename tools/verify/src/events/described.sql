-- Descriptions of events in the outbox.
--
-- $1 event ids.
SELECT
    id,
    topic || ' ' || (payload ->> 'eventType') AS event_type,
    extract(epoch FROM clock_timestamp() - created_at)::bigint AS committed_ago,
    extract(epoch FROM clock_timestamp() - published_at)::bigint AS published_ago
FROM outbox
WHERE id = ANY ($1::uuid[])
ORDER BY id
