-- The orders of a customer's invoice, with the sum and number of all of them.
--
-- $1 customer; $2 and $3 the month, from when and until when; $4 most rows.
SELECT
    order_id,
    items::text AS "items!",
    total,
    created_at,
    sum(total) OVER () AS "invoice_total!",
    count(*) OVER () AS "order_count!"
FROM orders_read
WHERE customer_id = $1
    AND created_at >= $2
    AND created_at < $3
    -- As in every other sum: as if never placed.
    AND status NOT IN ('CANCELLED', 'REFUNDED')
ORDER BY order_id
LIMIT $4
