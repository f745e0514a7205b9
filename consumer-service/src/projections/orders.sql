-- Writes orders as described by the newest event. A property that the newest event lacks keeps
-- the value of an older event: a command service of an older version repeats an order without
-- properties that were added since.
--
-- $1 order; $2 customer; $3 total; $4 status; $5 lines as JSON; $6 and $7 version and id of
-- the newest event; $8 time of the order; $9 time of the event; $10 what the events refund;
-- $11 reason of the newest event.
INSERT INTO orders_read AS view
    (order_id, customer_id, total, status, items, state_version, state_event, created_at,
     updated_at, refunded_total, reason)
SELECT order_id, customer_id, total, status, items::jsonb, state_version, state_event, created_at,
       updated_at, refunded_total, reason
FROM unnest($1::bigint[], $2::bigint[], $3::numeric[], $4::text[], $5::text[], $6::bigint[],
            $7::uuid[], $8::timestamptz[], $9::timestamptz[], $10::numeric[], $11::text[])
    AS batch (order_id, customer_id, total, status, items, state_version, state_event, created_at,
              updated_at, refunded_total, reason)
ON CONFLICT (order_id) DO UPDATE
-- An optional header property `x` is set to coalesce((newer).x, (older).x).
SET (customer_id, total, status, items, state_version, state_event, created_at, updated_at,
     refunded_total, reason) = (
        SELECT
            (newer).customer_id,
            -- A refund repeats neither total nor lines.
            coalesce((newer).total, (older).total),
            (newer).status,
            CASE
                WHEN (newer).items = (older).items THEN (newer).items
                WHEN (newer).items IS NULL OR (older).items IS NULL
                    THEN coalesce((newer).items, (older).items)
                ELSE (
                    SELECT jsonb_agg(coalesce(old.line, '{}') || new.line ORDER BY new.position)
                    FROM jsonb_array_elements((newer).items) WITH ORDINALITY AS new (line, position)
                    LEFT JOIN jsonb_array_elements((older).items) WITH ORDINALITY
                        AS old (line, position)
                        ON old.position = new.position
                            AND old.line -> 'productId' = new.line -> 'productId'
                )
            END,
            (newer).state_version,
            (newer).state_event,
            (newer).created_at,
            (newer).updated_at,
            -- Each event adds what it refunds.
            (newer).refunded_total + (older).refunded_total,
            (newer).reason
        FROM (
            SELECT
                CASE WHEN is_newer THEN excluded ELSE view END AS newer,
                CASE WHEN is_newer THEN view ELSE excluded END AS older
            FROM (
                SELECT (excluded.state_version, excluded.state_event)
                    > (view.state_version, view.state_event)
            ) AS comparison (is_newer)
        ) AS pair
    )
