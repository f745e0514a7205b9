-- Parks one event, unless it has been dealt with. Returns a row if something
-- changed: whether it was parked just now, and as which letter, and whether the
-- watermarks' counts go up by it.
--
-- $1 event id, may be null; $2 SHA-256 of body and properties; $3 queue; $4 reason; $5
-- bytes; $6 whether watermarks count it; $7 whether it is the copy from our own outbox; $8 message id and
-- $9 time of the message, both may be null; $10 whether it is older than the memory of
-- processed events; $11 type, $12 application and $13 content encoding of the message; $14
-- property section, if it cannot be read; $15 length of the body, if $5 is only its
-- beginning.
WITH known AS (
    -- Applied before, in another version or another copy: nothing to park.
    SELECT event_id FROM processed_events WHERE event_id = $1
), counted_now AS (
    -- An external copy was applied; now ours is here, too.
    UPDATE processed_events
    SET counted = TRUE
    WHERE $6 AND NOT counted AND event_id = $1
    RETURNING NULL::bigint AS id, TRUE AS counted, FALSE AS parked
), parked AS (
    INSERT INTO dead_letters AS letter
        (event_id, body_sha256, queue, reason, body, counted, ours, message_id, sent_at, forgotten,
         kind, app_id, content_encoding, properties, body_bytes)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15
    WHERE NOT EXISTS (SELECT FROM known)
    ON CONFLICT (identity) DO UPDATE
        -- An external copy was parked; now ours is here, and takes its place.
        SET counted = excluded.counted, ours = TRUE, body = excluded.body,
            body_sha256 = excluded.body_sha256, reason = excluded.reason,
            message_id = excluded.message_id, sent_at = excluded.sent_at,
            forgotten = excluded.forgotten, kind = excluded.kind, app_id = excluded.app_id,
            content_encoding = excluded.content_encoding, properties = excluded.properties,
            body_bytes = excluded.body_bytes
        WHERE NOT letter.counted AND NOT letter.ours AND excluded.ours
    RETURNING id, counted, xmax = 0 AS parked
)
SELECT id, counted AS "counted!", parked AS "parked!" FROM counted_now
UNION ALL
SELECT id, counted, parked FROM parked
