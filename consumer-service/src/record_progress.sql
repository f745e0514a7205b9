-- Records the progress of a batch of one topic.
--
-- $1 topic; $2 time of the newest event, may be null; $3 number of applied events; $4 number
-- of events of our own outbox processed for the first time; $5 and $6 watermarks: their times
-- and numbers of committed events.
--
-- Missing rows are inserted, because an operator may have emptied the tables.
WITH status AS (
    INSERT INTO sync_status AS status
        (id, last_processed_event_timestamp, events_applied, updated_at)
    -- Limited to now: the clock of a command service may be ahead, and the time never goes
    -- back.
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
    -- Limited to now: a future watermark would hide a broken pipeline until its time.
    SELECT $1, least(taken_at, now()), max(committed)
    FROM unnest($5::timestamptz[], $6::bigint[]) AS watermark (taken_at, committed)
    GROUP BY least(taken_at, now())
    ON CONFLICT DO NOTHING
)
-- Deletes reached watermarks except the newest, whose age shows that watermarks arrive. Also
-- deletes watermarks with a higher count than the newest: counted events have been deleted
-- from the outbox. Watermarks of this batch are deleted by a later batch.
DELETE FROM watermarks
USING progress, newest
WHERE watermarks.topic = $1
    AND (watermarks.committed <= progress.seen OR watermarks.committed > newest.committed)
    AND watermarks.taken_at < newest.taken_at
