-- Notes events as processed and says of each that is new, or newly counted:
-- whether it is to be applied (fresh), and whether watermarks' counts go up by
-- it (counted); and of each that is older than the memory of processed events, and not
-- in it, since when that goes (forgotten_since).
--
-- $1 event ids, ascending, each once; $2 whether our own outbox's copy is here; $3
-- times of the events; $4 whether the limit of the memory is to be ignored; $5 digests of
-- external events. The digest is returned when our own outbox's copy comes after an
-- external event of the same id.
WITH arrived AS MATERIALIZED (
    SELECT
        event.*,
        -- Null: it is young enough, or the memory has no limit.
        CASE
            WHEN NOT $4 AND event.happened_at < (SELECT since FROM dedupe_memory WHERE id = 1)
                THEN (SELECT since FROM dedupe_memory WHERE id = 1)
        END AS older_than
    FROM unnest($1::uuid[], $2::boolean[], $3::timestamptz[], $5::bytea[]) WITH ORDINALITY
        AS event (id, ours, happened_at, digest, place)
), forgotten AS (
    SELECT arrived.id, arrived.older_than
    FROM arrived
    WHERE arrived.older_than IS NOT NULL
        AND NOT EXISTS (
            SELECT FROM processed_events WHERE event_id = ANY (ARRAY[arrived.id])
        )
), taken AS (
    INSERT INTO processed_events AS seen (event_id, counted, digest)
    -- What was parked has been counted already, whichever copy comes now.
    SELECT event.id, event.ours OR coalesce(letter.counted, FALSE), event.digest
    FROM arrived AS event
    LEFT JOIN dead_letters AS letter ON letter.event_id = ANY (ARRAY[event.id])
    -- Old ones are never inserted: they are there, or forgotten.
    WHERE event.older_than IS NULL
    ORDER BY event.place
    ON CONFLICT (event_id) DO UPDATE
        -- An external copy came first; now ours is here, too.
        SET counted = TRUE
        WHERE NOT seen.counted AND excluded.counted
    RETURNING event_id, counted, xmax = 0 AS fresh, digest
), redeemed AS (
    -- An event that was parked and now comes again is applied like any other,
    -- but had been counted when it was parked.
    DELETE FROM dead_letters
    WHERE event_id = ANY($1) AND event_id <> ALL (ARRAY(SELECT id FROM forgotten))
    RETURNING event_id, counted
)
SELECT
    taken.event_id AS "event_id!",
    taken.fresh AS "fresh!",
    taken.counted AND NOT coalesce(redeemed.counted, FALSE) AS "counted!",
    NULL::timestamptz AS forgotten_since,
    CASE WHEN NOT taken.fresh THEN taken.digest END AS digest
FROM taken
LEFT JOIN redeemed USING (event_id)
UNION ALL
SELECT id, FALSE, FALSE, older_than, NULL
FROM forgotten
