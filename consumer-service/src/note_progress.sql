-- Notes the progress of a batch of one topic.
--
-- $1 topic; $2 newest event time, may be null; $3 events applied; $4 events of
-- our own outbox dealt with for the first time; $5 and $6 watermarks: when
-- taken, and how many events were committed then.
--
-- The rows are there unless somebody has emptied the tables; then they begin anew.
WITH status AS (
    INSERT INTO sync_status AS status
        (id, last_processed_event_timestamp, events_applied, updated_at)
    -- The clock of a command service may be ahead, and the time never goes back.
    SELECT 1, least($2::timestamptz, now()), $3::bigint, clock_timestamp()
    WHERE $3 > 0
    ON CONFLICT (id) DO UPDATE
    SET last_processed_event_timestamp = greatest(
            status.last_processed_event_timestamp, excluded.last_processed_event_timestamp
        ),
        events_applied = status.events_applied + excluded.events_applied,
        updated_at = excluded.updated_at
), progress AS (
    INSERT INTO topic_progress AS progress (topic, seen)
    VALUES ($1, $4)
    ON CONFLICT (topic) DO UPDATE
    SET seen = progress.seen + excluded.seen
    RETURNING seen
), newest AS (
    SELECT taken_at, committed FROM watermarks WHERE topic = $1 ORDER BY taken_at DESC LIMIT 1
), arrived AS (
    INSERT INTO watermarks (topic, taken_at, committed)
    -- One from the future would make a dead pipe look alive until then.
    SELECT $1, least(taken_at, now()), max(committed)
    FROM unnest($5::timestamptz[], $6::bigint[]) AS watermark (taken_at, committed)
    GROUP BY least(taken_at, now())
    ON CONFLICT DO NOTHING
)
-- What has been reached tells nothing more, save the newest: its age shows that
-- watermarks arrive. Nor does a count above the newest: events that were counted have
-- been deleted from the outbox. Those of this batch are seen by the next one.
DELETE FROM watermarks
USING progress, newest
WHERE watermarks.topic = $1
    AND (watermarks.committed <= progress.seen OR watermarks.committed > newest.committed)
    AND watermarks.taken_at < newest.taken_at
