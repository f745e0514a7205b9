-- Each order with its lines, as in its newest applied event.
SELECT
    applied.id AS order_id,
    applied.customer_id,
    applied.total,
    applied.status,
    applied.version AS state_version,
    applied.created_at,
    applied.created_at AT TIME ZONE 'UTC' AS created_on,
    jsonb_agg(
        jsonb_strip_nulls(jsonb_build_object(
            'productId', item.product_id,
            'productName', item.product_name,
            'category', item.category,
            'quantity', item.quantity,
            'price', trim_scale(item.price),
            'stockTaken', item.stock_taken,
            'stockReturned', CASE WHEN applied.status = 'CANCELLED' THEN item.stock_returned END
        ))
        ORDER BY item.id
    ) AS items
FROM applied_orders AS applied
JOIN order_items AS item ON item.order_id = applied.id
GROUP BY applied.id, applied.customer_id, applied.total, applied.status, applied.version,
    applied.created_at
