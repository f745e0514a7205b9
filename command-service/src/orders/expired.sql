-- Locks unpaid orders whose time to pay is over, the oldest first. Skips those that other
-- transactions hold locked: they are being paid or cancelled.
--
-- $1 seconds to pay; $2 and $3 time and id of the last order before; $4 maximum number of rows.
SELECT
    id,
    stored_at,
    extract(EPOCH FROM now() - stored_at)::double precision - $1 AS "overdue_seconds!",
    (SELECT count(*) FROM order_items WHERE order_id = orders.id) AS "lines!"
FROM orders
WHERE
    status = 'CREATED'
    AND stored_at < now() - make_interval(secs => $1)
    AND (stored_at, id) > ($2, $3)
ORDER BY stored_at, id
LIMIT $4
FOR NO KEY UPDATE SKIP LOCKED
