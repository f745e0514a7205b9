-- Orders as after their events were applied, without the sums, which follow.
--
-- $1 and $2: first and last order.
WITH placed AS MATERIALIZED (
    SELECT
        order_id,
        customer_id,
        ordered_at,
        event_id,
        sum(quantity * price) AS total,
        jsonb_agg(jsonb_build_object(
            'productId', product_id,
            'productName', product_name,
            'category', category,
            'quantity', quantity,
            'price', trim_scale(price),
            'stockTaken', quantity
        ) ORDER BY place) AS items
    FROM pg_temp.lines($1, $2)
    GROUP BY order_id, customer_id, ordered_at, event_id
    ORDER BY order_id
), processed AS (
    INSERT INTO processed_events (event_id, processed_at, counted)
    SELECT event_id, ordered_at + interval '10 milliseconds', TRUE
    FROM placed
)
INSERT INTO orders_read
    (order_id, customer_id, total, status, items, state_version, state_event, created_at,
     updated_at)
SELECT order_id, customer_id, total, 'CREATED', items, 1, event_id, ordered_at, ordered_at
FROM placed
