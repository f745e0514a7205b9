-- Orders with their lines and refunds, as JSON. `{columns}` stands for the columns of `orders.rs`.
--
-- $1 ids.
SELECT
    {columns},
    items::text AS items,
    (
        SELECT jsonb_agg(
            jsonb_build_object(
                'refundId', refund_id,
                'id', refund_id,
                'orderId', order_id,
                'items', refund.items,
                'amount', trim_scale(amount),
                'refundedTotal', trim_scale(refund.refunded_total),
                'status', refund.status,
                'reason', refund.reason,
                'createdAt', refund.created_at
            )
            ORDER BY refund_id
        )::text
        FROM refunds_read AS refund
        WHERE refund.order_id = orders_read.order_id
    ) AS refunds
FROM orders_read
WHERE order_id = ANY ($1) AND items IS NOT NULL
