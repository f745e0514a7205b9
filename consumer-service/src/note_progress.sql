-- Notes the progress of a batch of one topic.
--
-- $1 topic; $2 newest event time, may be null; $3 events applied; $4 events of
-- our own outbox dealt with for the first time; $5 and $6 watermarks: when
-- taken, and how many events were committed then.
WITH status AS (
    UPDATE sync_status
    SET last_processed_event_timestamp = greatest(last_processed_event_timestamp, $2),
        events_applied = events_applied + $3,
        updated_at = clock_timestamp()
    WHERE id = 1 AND $3 > 0
), progress AS (
    UPDATE topic_progress
    SET seen = seen + $4
    WHERE topic = $1
    RETURNING seen
), arrived AS (
    INSERT INTO watermarks (topic, taken_at, committed)
    SELECT $1, taken_at, max(committed)
    FROM unnest($5::timestamptz[], $6::bigint[]) AS watermark (taken_at, committed)
    GROUP BY taken_at
    ON CONFLICT DO NOTHING
)
-- What has been reached tells nothing more, save the newest: its age shows that
-- the pipe is alive. Those of this batch are seen by the next one.
DELETE FROM watermarks
USING progress
WHERE watermarks.topic = $1
    AND watermarks.committed <= progress.seen
    AND watermarks.taken_at < (SELECT max(taken_at) FROM watermarks WHERE topic = $1)
