-- Notes events as processed and says of each that is new, or newly counted:
-- whether it is to be applied (fresh), and whether watermarks' counts go up by
-- it (counted).
--
-- $1 event ids, ascending, each once; $2 whether our own outbox's copy is here.
WITH taken AS (
    INSERT INTO processed_events AS seen (event_id, counted)
    -- What was parked has been counted already, whichever copy comes now.
    SELECT event.id, event.ours OR coalesce(letter.counted, FALSE)
    FROM unnest($1::uuid[], $2::boolean[]) WITH ORDINALITY AS event (id, ours, place)
    LEFT JOIN dead_letters AS letter ON letter.event_id = ANY (ARRAY[event.id])
    ORDER BY event.place
    ON CONFLICT (event_id) DO UPDATE
        -- A stranger's copy came first; now ours is here, too.
        SET counted = TRUE
        WHERE NOT seen.counted AND excluded.counted
    RETURNING event_id, counted, xmax = 0 AS fresh
), redeemed AS (
    -- An event that was parked and now comes again is applied like any other,
    -- but had been counted when it was parked.
    DELETE FROM dead_letters
    WHERE event_id = ANY($1)
    RETURNING event_id, counted
)
SELECT
    taken.event_id AS "event_id!",
    taken.fresh AS "fresh!",
    taken.counted AND NOT coalesce(redeemed.counted, FALSE) AS "counted!"
FROM taken
LEFT JOIN redeemed USING (event_id)
