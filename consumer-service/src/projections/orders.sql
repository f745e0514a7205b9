-- Brings orders up to date: the state of the newest event stands.
--
-- $1 order; $2 customer; $3 total; $4 status; $5 lines as JSON; $6 and $7
-- version and event of the state; $8 when it was placed; $9 time of the event.
INSERT INTO orders_read AS view
    (order_id, customer_id, total, status, items, state_version, state_event, created_at,
     updated_at)
SELECT order_id, customer_id, total, status, items::jsonb, state_version, state_event, placed_at,
       updated_at
FROM unnest($1::bigint[], $2::bigint[], $3::numeric[], $4::text[], $5::text[], $6::bigint[],
            $7::uuid[], $8::timestamptz[], $9::timestamptz[])
    AS newest (order_id, customer_id, total, status, items, state_version, state_event, placed_at,
               updated_at)
ON CONFLICT (order_id) DO UPDATE
SET customer_id = excluded.customer_id,
    total = excluded.total,
    status = excluded.status,
    items = excluded.items,
    state_version = excluded.state_version,
    state_event = excluded.state_event,
    created_at = excluded.created_at,
    updated_at = excluded.updated_at
WHERE (excluded.state_version, excluded.state_event) > (view.state_version, view.state_event)
