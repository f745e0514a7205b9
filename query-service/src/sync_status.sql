-- All values from which the lag is computed, in one snapshot. Rows may be missing if an operator
-- has emptied a table; the next event or watermark inserts them again.
--
-- $1 all topics.
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
    -- Of the topic with the oldest newest watermark; null if a topic has none.
    (
        SELECT CASE WHEN count(taken_at) = count(*) THEN min(taken_at) END FROM topics
    ) AS newest,
    (
        SELECT coalesce(sum(greatest(committed - seen, 0)), 0)::bigint FROM topics
    ) AS "pending_events!",
    (SELECT count(*) FROM dead_letters) AS "dead_letters!",
    EXISTS (SELECT FROM dead_letters WHERE ours) AS "lacks_our_events!"
