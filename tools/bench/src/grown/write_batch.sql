-- Orders as after they were placed and published.
--
-- $1 and $2: first and last order.
WITH line AS MATERIALIZED (
    SELECT * FROM pg_temp.lines($1, $2)
), placed AS MATERIALIZED (
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
    FROM line
    GROUP BY order_id, customer_id, ordered_at, event_id
    ORDER BY order_id
), new_orders AS (
    INSERT INTO orders (id, customer_id, total, status, created_at, stored_at)
    SELECT order_id, customer_id, total, 'CREATED', ordered_at, ordered_at
    FROM placed
), new_items AS (
    INSERT INTO order_items
        (order_id, product_id, product_name, category, quantity, price, stock_taken)
    SELECT order_id, product_id, product_name, category, quantity, price, quantity
    FROM line
)
INSERT INTO outbox (id, topic, payload, created_at, published_at)
SELECT
    event_id,
    'order-events',
    jsonb_build_object(
        'eventId', event_id,
        'version', 1,
        'aggregateVersion', 1,
        'timestamp', (to_jsonb(ordered_at AT TIME ZONE 'UTC') #>> '{}') || 'Z',
        'traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
        'eventType', 'OrderCreated',
        'orderId', order_id,
        'customerId', customer_id,
        'status', 'CREATED',
        'items', items,
        'total', trim_scale(total)
    ),
    ordered_at,
    ordered_at + interval '5 milliseconds'
FROM placed
