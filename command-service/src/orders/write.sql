-- Writes accepted orders: bare customers, orders, lines and taken stock. The
-- caller holds the products' locks. One statement, so one round trip, and its
-- foreign keys are checked at its end.
WITH new_customers AS (
    -- In ascending order, as everywhere, so that two transactions which create
    -- the same customers cannot wait for each other.
    INSERT INTO customers (id, created_at)
    SELECT customer_id, min(created_at)
    FROM unnest($2::bigint[], $4::timestamptz[]) AS placed (customer_id, created_at)
    -- The conflict clause alone would wait for whoever is just changing an
    -- existing customer.
    WHERE NOT EXISTS (SELECT FROM customers WHERE id = customer_id)
    GROUP BY customer_id
    ORDER BY customer_id
    ON CONFLICT (id) DO NOTHING
), new_orders AS (
    INSERT INTO orders (id, customer_id, total, status, created_at)
    SELECT id, customer_id, total, $5, created_at
    FROM unnest($1::bigint[], $2::bigint[], $3::numeric[], $4::timestamptz[])
        AS placed (id, customer_id, total, created_at)
), new_items AS (
    INSERT INTO order_items
        (order_id, product_id, product_name, category, quantity, price, stock_taken)
    SELECT *
    FROM unnest($6::bigint[], $7::bigint[], $8::text[], $9::text[], $10::integer[],
                $11::numeric[], $12::integer[])
)
UPDATE products
SET stock = products.stock - taken.pieces, version = products.version + 1
FROM unnest($13::bigint[], $14::integer[]) AS taken (product_id, pieces)
WHERE products.id = taken.product_id
