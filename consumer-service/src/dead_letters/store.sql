-- Stores a dead letter, unless its event was processed before. Returns a row if something
-- changed: whether the dead letter is new, its id, and whether watermarks count it now.
--
-- $1 event id, may be null; $2 SHA-256 of body and properties; $3 queue; $4 reason; $5 body;
-- $6 whether watermarks count it; $7 whether it comes from our own outbox; $8 message id and $9
-- time of the message, both may be null; $10 whether it is older than the deduplication
-- records; $11 type, $12 application and $13 content encoding of the message; $14 property
-- section, if it is unreadable; $15 length of the body, if $5 is only its beginning.
WITH processed AS (
    -- Applied before, in another version or another copy: nothing to store.
    SELECT event_id FROM processed_events WHERE event_id = $1
), counted_now AS (
    -- An external copy was applied, and now our own has arrived.
    UPDATE processed_events
    SET counted = TRUE
    WHERE $6 AND NOT counted AND event_id = $1
    RETURNING NULL::bigint AS id, TRUE AS counted, FALSE AS is_new
), stored AS (
    INSERT INTO dead_letters AS dead_letter
        (event_id, body_sha256, queue, reason, body, counted, ours, message_id, sent_at, forgotten,
         kind, app_id, content_encoding, properties, body_bytes)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15
    WHERE NOT EXISTS (SELECT FROM processed)
    ON CONFLICT (identity) DO UPDATE
        -- An external copy was stored, and now our own replaces it.
        SET counted = excluded.counted, ours = TRUE, body = excluded.body,
            body_sha256 = excluded.body_sha256, reason = excluded.reason,
            message_id = excluded.message_id, sent_at = excluded.sent_at,
            forgotten = excluded.forgotten, kind = excluded.kind, app_id = excluded.app_id,
            content_encoding = excluded.content_encoding, properties = excluded.properties,
            body_bytes = excluded.body_bytes
        WHERE NOT dead_letter.counted AND NOT dead_letter.ours AND excluded.ours
    RETURNING id, counted, xmax = 0 AS is_new
)
SELECT id, counted AS "counted!", is_new AS "is_new!" FROM counted_now
UNION ALL
SELECT id, counted, is_new FROM stored
