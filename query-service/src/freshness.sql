-- All that lag is made of, in one snapshot. Rows may be missing if somebody has emptied a
-- table; the next event or watermark brings them back.
--
-- $1 every topic.
WITH topics AS (
    SELECT
        name,
        coalesce((SELECT seen FROM topic_progress WHERE topic = name), 0) AS seen,
        newest.taken_at,
        newest.committed
    FROM unnest($1::text[]) AS name
    LEFT JOIN LATERAL (
        SELECT taken_at, committed
        FROM watermarks
        WHERE topic = name
        ORDER BY taken_at DESC
        LIMIT 1
    ) AS newest ON TRUE
)
SELECT
    (SELECT last_processed_event_timestamp FROM sync_status) AS last_processed_event_timestamp,
    coalesce((SELECT events_applied FROM sync_status), 0) AS "events_applied!",
    clock_timestamp() AS "now!",
    (
        SELECT min(watermarks.taken_at)
        FROM watermarks
        JOIN topics ON name = topic
        WHERE watermarks.committed > seen
    ) AS oldest_unreached,
    -- Of the topic that has been silent for longest; null if one was never heard of.
    (
        SELECT CASE WHEN count(taken_at) = count(*) THEN min(taken_at) END FROM topics
    ) AS newest,
    (
        SELECT coalesce(sum(greatest(committed - seen, 0)), 0)::bigint FROM topics
    ) AS "pending_events!",
    (SELECT count(*) FROM dead_letters) AS "dead_letters!",
    EXISTS (SELECT FROM dead_letters WHERE ours) AS "lacks_our_events!"
