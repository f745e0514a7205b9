-- Each order with its lines, as its newest event has them.
SELECT
    seen.id AS order_id,
    seen.customer_id,
    seen.total::numeric(24, 4) AS total,
    seen.status,
    seen.version AS state_version,
    seen.created_at,
    jsonb_agg(
        jsonb_strip_nulls(jsonb_build_object(
            'productId', item.product_id,
            'productName', item.product_name,
            'category', item.category,
            'quantity', item.quantity,
            'price', trim_scale(item.price),
            'stockTaken', item.stock_taken,
            'stockReturned', CASE WHEN seen.status = 'CANCELLED' THEN item.stock_returned END
        ))
        ORDER BY item.id
    ) AS items
FROM seen_orders AS seen
JOIN order_items AS item ON item.order_id = seen.id
GROUP BY seen.id, seen.customer_id, seen.total, seen.status, seen.version, seen.created_at
