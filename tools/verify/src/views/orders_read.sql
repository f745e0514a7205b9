-- Each order with its lines, as in its newest applied event.
SELECT
    applied.id AS order_id,
    applied.customer_id,
    -- A refund repeats neither total nor lines, so another event must be applied.
    CASE WHEN stated.is_stated THEN applied.total END AS total,
    applied.status,
    applied.version AS state_version,
    applied.created_at,
    applied.created_at AT TIME ZONE 'UTC' AS created_on,
    CASE
        WHEN applied.status = 'REFUNDED'
            THEN applied.total - coalesce(refund.missing_amount, 0)
        ELSE coalesce(refund.amount, 0)
    END AS refunded_total,
    applied.reason,
    CASE
        WHEN stated.is_stated THEN jsonb_agg(
            jsonb_strip_nulls(jsonb_build_object(
                'productId', item.product_id,
                'productName', item.product_name,
                'category', item.category,
                'quantity', item.quantity,
                'price', trim_scale(item.price),
                'stockTaken', item.stock_taken,
                'stockReturned',
                CASE WHEN applied.status = 'CANCELLED' THEN item.stock_returned END
            ))
            ORDER BY item.id
        )
    END AS items
FROM applied_orders AS applied
JOIN order_items AS item ON item.order_id = applied.id
LEFT JOIN order_refunds AS refund ON refund.order_id = applied.id
CROSS JOIN LATERAL (
    SELECT applied.placed OR EXISTS (
        SELECT
        FROM applied_order_events AS event
        WHERE event.order_id = applied.id AND event.event_type <> 'OrderRefunded'
    ) AS is_stated
) AS stated
GROUP BY applied.id, applied.customer_id, applied.total, applied.status, applied.version,
    applied.created_at, applied.reason, refund.amount, refund.missing_amount, stated.is_stated
