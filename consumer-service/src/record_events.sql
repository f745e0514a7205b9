-- Records events as processed. Returns each event that is new, or newly counted: whether it is to
-- be applied (is_new), and whether watermarks count it now (counted). Also returns each event
-- that is older than the deduplication records and has no record, with the time since which
-- records are kept (expired_since).
--
-- $1 event ids, ascending, each once; $2 whether the event comes from our own outbox; $3 times
-- of the events; $4 whether the age limit is ignored; $5 digests of external events. The stored
-- digest is returned if our own event arrives after an external event with the same id.
WITH arrived AS MATERIALIZED (
    SELECT
        event.*,
        -- Null if the event is recent enough, or there is no limit.
        CASE
            WHEN NOT $4 AND event.happened_at < (SELECT since FROM dedupe_memory WHERE id = 1)
                THEN (SELECT since FROM dedupe_memory WHERE id = 1)
        END AS older_than
    FROM unnest($1::uuid[], $2::boolean[], $3::timestamptz[], $5::bytea[]) WITH ORDINALITY
        AS event (id, ours, happened_at, digest, position)
), expired AS (
    SELECT arrived.id, arrived.older_than
    FROM arrived
    WHERE arrived.older_than IS NOT NULL
        AND NOT EXISTS (
            SELECT FROM processed_events WHERE event_id = ANY (ARRAY[arrived.id])
        )
), recorded AS (
    INSERT INTO processed_events AS record (event_id, counted, digest)
    -- A dead letter was counted when it was stored, whichever copy arrives now.
    SELECT event.id, event.ours OR coalesce(dead_letter.counted, FALSE), event.digest
    FROM arrived AS event
    LEFT JOIN dead_letters AS dead_letter ON dead_letter.event_id = ANY (ARRAY[event.id])
    -- Older events are never inserted: they have a record, or are expired.
    WHERE event.older_than IS NULL
    ORDER BY event.position
    ON CONFLICT (event_id) DO UPDATE
        -- An external copy was first, and now our own has arrived.
        SET counted = TRUE
        WHERE NOT record.counted AND excluded.counted
    RETURNING event_id, counted, xmax = 0 AS is_new, digest
), redeemed AS (
    -- A dead letter whose event arrives again is applied, but was counted before.
    DELETE FROM dead_letters
    WHERE event_id = ANY($1) AND event_id <> ALL (ARRAY(SELECT id FROM expired))
    RETURNING event_id, counted
)
SELECT
    recorded.event_id AS "event_id!",
    recorded.is_new AS "is_new!",
    recorded.counted AND NOT coalesce(redeemed.counted, FALSE) AS "counted!",
    NULL::timestamptz AS expired_since,
    CASE WHEN NOT recorded.is_new THEN recorded.digest END AS digest
FROM recorded
LEFT JOIN redeemed USING (event_id)
UNION ALL
SELECT id, FALSE, FALSE, older_than, NULL
FROM expired
