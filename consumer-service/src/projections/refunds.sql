-- Adds refunds.
--
-- $1 refund; $2 order; $3 amount; $4 sum of the refunds of the order; $5 items as JSON; $6 status of
-- the order; $7 reason; $8 time; $9 event.
INSERT INTO refunds_read
    (refund_id, order_id, amount, refunded_total, items, status, reason, created_at, event_id)
SELECT refund_id, order_id, amount, refunded_total, items::jsonb, status, reason, created_at,
       event_id
FROM unnest($1::bigint[], $2::bigint[], $3::numeric[], $4::numeric[], $5::text[], $6::text[],
            $7::text[], $8::timestamptz[], $9::uuid[])
    AS batch (refund_id, order_id, amount, refunded_total, items, status, reason, created_at,
              event_id)
ON CONFLICT (refund_id, event_id) DO NOTHING
