-- All that lag is made of, in one snapshot.
WITH newest AS (
    SELECT topic, max(taken_at) AS taken_at, max(committed) AS committed
    FROM watermarks
    GROUP BY topic
)
SELECT
    sync_status.last_processed_event_timestamp,
    coalesce(sync_status.events_applied, 0) AS "events_applied!",
    clock_timestamp() AS "now!",
    (
        SELECT min(watermarks.taken_at)
        FROM watermarks
        JOIN topic_progress USING (topic)
        WHERE watermarks.committed > topic_progress.seen
    ) AS oldest_unreached,
    -- Of the topic that has been silent for longest. If somebody has emptied the table, all
    -- of them count as silent since the server's start, until the next watermark arrives.
    coalesce((SELECT min(taken_at) FROM newest), pg_postmaster_start_time()) AS "newest!",
    (
        SELECT coalesce(sum(greatest(newest.committed - topic_progress.seen, 0)), 0)::bigint
        FROM newest
        JOIN topic_progress USING (topic)
    ) AS "pending_events!"
-- Its row is there unless somebody has emptied the table.
FROM (VALUES (1)) AS status (id)
LEFT JOIN sync_status ON sync_status.id = status.id
