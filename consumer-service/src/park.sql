-- Parks one event, unless it has been dealt with. Returns a row if something
-- changed: whether it was parked just now, and whether the watermarks' counts
-- go up by it.
--
-- $1 event id, may be null; $2 SHA-256; $3 queue; $4 reason; $5 bytes;
-- $6 whether it is the copy from our own outbox.
WITH known AS (
    -- Applied before, in another version or another copy: nothing to park.
    SELECT counted FROM processed_events WHERE event_id = $1
), parked AS (
    INSERT INTO dead_letters AS letter (event_id, body_sha256, queue, reason, body, counted)
    SELECT $1, $2, $3, $4, $5, $6
    WHERE NOT EXISTS (SELECT FROM known)
    ON CONFLICT DO NOTHING
    RETURNING counted
), caught_up AS (
    -- A stranger's copy came first; now ours is here, too.
    UPDATE dead_letters
    SET counted = TRUE
    WHERE $6 AND NOT counted AND NOT EXISTS (SELECT FROM parked)
        AND (event_id = $1 OR ($1 IS NULL AND event_id IS NULL AND body_sha256 = $2))
    RETURNING counted
), caught_up_processed AS (
    UPDATE processed_events
    SET counted = TRUE
    WHERE $6 AND NOT counted AND event_id = $1
    RETURNING counted
)
SELECT counted AS "counted!", TRUE AS "parked!" FROM parked
UNION ALL
SELECT counted, FALSE FROM caught_up
UNION ALL
SELECT counted, FALSE FROM caught_up_processed
