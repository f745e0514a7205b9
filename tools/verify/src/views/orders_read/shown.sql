SELECT
    order_id,
    customer_id,
    total,
    status,
    state_version,
    created_at,
    items
FROM orders_read
