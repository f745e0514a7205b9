-- Writes accepted orders if their products are unchanged: taken stock, new customers, orders,
-- lines, events and responses. Returns whether they were written, and order ids for the next
-- batch. One statement means one round trip, one flush to disk, and foreign keys checked at its
-- end.
--
-- `key = ANY (ARRAY[…])` is `key = …` in a form that only the index of the key supports: see
-- INDEX_SCANS_ONLY in the service runtime.
--
-- The parameters are the columns of each table, as arrays: reading records from JSON takes a
-- tenth more time.
-- $1 to $4 products, ascending, each once: id, version, units taken, creation time. If the
-- database was emptied, another product can have the same id and version, so the time is compared
-- as well.
-- $5 to $9 orders: id, customer, total, the status of all of them, time.
-- $10 to $16 lines: order, product, name, category, quantity, price, units taken.
-- $17 to $19 events: id, topic, payload.
-- $20 responses to be stored: a JSON array of rows of `idempotency_keys`.
WITH locked AS MATERIALIZED (
    -- By ascending id, as everywhere, so that transactions do not deadlock. After a wait this
    -- returns the newest version.
    SELECT id, version, created_at
    FROM products
    WHERE id = ANY($1)
    ORDER BY id
    FOR NO KEY UPDATE
), agreed AS MATERIALIZED (
    SELECT
        coalesce(
            array_agg(version ORDER BY id) = $2 AND array_agg(created_at ORDER BY id) = $4,
            FALSE
        ) AS unchanged
    FROM locked
), taken AS (
    UPDATE products
    SET stock = products.stock - sold.units, version = products.version + 1
    FROM agreed, unnest($1::bigint[], $3::integer[]) AS sold (id, units)
    WHERE agreed.unchanged AND products.id = ANY (ARRAY[sold.id]) AND sold.units > 0
), new_customers AS (
    -- By ascending id, because other transactions can create the same customers.
    INSERT INTO customers (id, created_at)
    SELECT placed.customer_id, min(placed.created_at)
    FROM agreed, unnest($6::bigint[], $9::timestamptz[]) AS placed (customer_id, created_at)
    -- The conflict clause alone would wait for a transaction that changes the customer.
    WHERE agreed.unchanged
        AND NOT EXISTS (SELECT FROM customers WHERE id = ANY (ARRAY[placed.customer_id]))
    GROUP BY placed.customer_id
    ORDER BY placed.customer_id
    ON CONFLICT (id) DO NOTHING
), new_orders AS (
    INSERT INTO orders (id, customer_id, total, status, created_at)
    SELECT placed.id, placed.customer_id, placed.total, $8, placed.created_at
    FROM agreed, unnest($5::bigint[], $6::bigint[], $7::numeric[], $9::timestamptz[])
        AS placed (id, customer_id, total, created_at)
    WHERE agreed.unchanged
), new_items AS (
    INSERT INTO order_items
        (order_id, product_id, product_name, category, quantity, price, stock_taken)
    SELECT line.*
    FROM agreed, unnest($10::bigint[], $11::bigint[], $12::text[], $13::text[], $14::integer[],
                        $15::numeric[], $16::integer[])
        AS line (order_id, product_id, product_name, category, quantity, price, stock_taken)
    WHERE agreed.unchanged
), new_events AS (
    INSERT INTO outbox (id, topic, payload)
    SELECT event.id, event.topic, event.payload::jsonb
    FROM agreed, unnest($17::uuid[], $18::text[], $19::text[]) AS event (id, topic, payload)
    WHERE agreed.unchanged
), responses AS (
    -- By ascending key, and after the products: see the table.
    INSERT INTO idempotency_keys
        (scope, caller, key, body_sha256, status, event_id, location, body)
    SELECT scope, caller, key, decode(body_sha256, 'hex'), status, event_id, location, body
    FROM agreed, json_to_recordset($20::text::json) AS response (
        scope text, caller text, key text, body_sha256 text, status smallint,
        event_id uuid, location text, body text
    )
    WHERE agreed.unchanged
    ORDER BY key
)
SELECT
    unchanged AS "unchanged!",
    -- As many ids as this batch used.
    ARRAY(
        SELECT nextval('orders_id_seq') FROM generate_series(1, cardinality($5))
    ) AS "next_order_ids!"
FROM agreed
