-- An order as the command service writes it, in one statement and transaction: the most that
-- PostgreSQL can do with one order at a time. The script contains no colons in texts, because
-- pgbench would read them as variables.
\set customer random(1, :customers)
\set lines random(1, 3)
\set product1 random(1, :products)
\set product2 random(1, :products)
\set product3 random(1, :products)
\set quantity1 random(1, 5)
\set quantity2 random(1, 5)
\set quantity3 random(1, 5)
WITH line AS MATERIALIZED (
    SELECT product_id, quantity
    FROM (VALUES (1, :product1::bigint, :quantity1::integer),
                 (2, :product2::bigint, :quantity2::integer),
                 (3, :product3::bigint, :quantity3::integer)) AS line (place, product_id, quantity)
    WHERE place <= :lines::integer
), locked AS MATERIALIZED (
    -- By ascending id, before anything else is written, so no two of these wait
    -- for each other. From an array, to be looked up by the key in any case.
    SELECT id, name, category, price
    FROM products
    WHERE id = ANY (ARRAY(SELECT product_id FROM line))
    ORDER BY id
    FOR NO KEY UPDATE
), placed AS MATERIALIZED (
    SELECT
        nextval('orders_id_seq') AS id,
        -- UUIDv7 is 48 bits of milliseconds, the version, and random bits.
        overlay(
            replace(gen_random_uuid()::text, '-', '')
            PLACING lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0')
                    || '7'
            FROM 1
        )::uuid AS event_id,
        sum(line.quantity * locked.price) AS total,
        jsonb_agg(jsonb_build_object(
            'productId', locked.id,
            'productName', locked.name,
            'category', locked.category,
            'quantity', line.quantity,
            'price', trim_scale(locked.price),
            'stockTaken', line.quantity
        )) AS items
    FROM line
    JOIN locked ON locked.id = line.product_id
), taken AS (
    UPDATE products
    SET stock = products.stock - sold.units, version = products.version + 1
    FROM (
        SELECT locked.id, sum(line.quantity)::integer AS units
        FROM locked
        JOIN line ON line.product_id = locked.id
        GROUP BY locked.id
    ) AS sold
    WHERE products.id = sold.id
), new_customer AS (
    INSERT INTO customers (id)
    SELECT :customer::bigint
    -- Not before the products are locked.
    FROM placed
    WHERE NOT EXISTS (SELECT FROM customers WHERE id = :customer::bigint)
    ON CONFLICT (id) DO NOTHING
), new_order AS (
    INSERT INTO orders (id, customer_id, total, status, created_at)
    SELECT id, :customer::bigint, total, 'CREATED', statement_timestamp()
    FROM placed
), new_items AS (
    INSERT INTO order_items
        (order_id, product_id, product_name, category, quantity, price, stock_taken)
    SELECT placed.id, locked.id, locked.name, locked.category, line.quantity, locked.price,
           line.quantity
    FROM placed
    CROSS JOIN line
    JOIN locked ON locked.id = line.product_id
)
INSERT INTO outbox (id, topic, payload)
SELECT
    event_id,
    'order-events',
    jsonb_build_object(
        'eventId', event_id,
        'version', 1,
        'aggregateVersion', 1,
        'timestamp', (to_jsonb(statement_timestamp() AT TIME ZONE 'UTC') #>> '{}') || 'Z',
        'traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
        'eventType', 'OrderCreated',
        'orderId', id,
        'customerId', :customer::bigint,
        'status', 'CREATED',
        'items', items,
        'total', trim_scale(total)
    )
FROM placed;
