-- Writes accepted orders, if their products are still what they were read as:
-- taken stock, bare customers, orders, lines and events. Returns whether they
-- were; if not, nothing is written. And order ids for those who come next, and the
-- answers to those orders that may be sent again. One
-- statement, so one round trip, one flush to disk, and foreign keys checked at
-- its end.
--
-- `key = ANY (ARRAY[…])` is `key = …` in a form that only the key's index can
-- serve: see KEY_BY_KEY in the service runtime.
--
-- $1 products, ascending, each once; $2 their versions as read; $3 pieces taken;
-- $4 to $7 order, customer, total, time of each order; $8 status; $9 to $15
-- order, product, name, category, quantity, price, pieces taken of each line;
-- $16 to $18 id, topic, payload of each event; $19 when the products were created,
-- as read: if the database was emptied meanwhile, another one may have that id and
-- version; $20 answers to be kept, a JSON array of rows of `idempotency_keys`.
WITH locked AS MATERIALIZED (
    -- By ascending id, as everywhere, so that no two transactions wait for each
    -- other. Whoever had to wait gets the version that is the newest then.
    SELECT id, version, created_at
    FROM products
    WHERE id = ANY($1)
    ORDER BY id
    FOR NO KEY UPDATE
), agreed AS MATERIALIZED (
    SELECT
        coalesce(
            array_agg(version ORDER BY id) = $2 AND array_agg(created_at ORDER BY id) = $19,
            FALSE
        ) AS unchanged
    FROM locked
), taken AS (
    UPDATE products
    SET stock = products.stock - sold.pieces, version = products.version + 1
    FROM agreed, unnest($1::bigint[], $3::integer[]) AS sold (id, pieces)
    WHERE agreed.unchanged AND products.id = ANY (ARRAY[sold.id]) AND sold.pieces > 0
), new_customers AS (
    -- Ascending, too: others may be creating the same ones.
    INSERT INTO customers (id, created_at)
    SELECT placed.customer_id, min(placed.created_at)
    FROM agreed, unnest($5::bigint[], $7::timestamptz[]) AS placed (customer_id, created_at)
    -- The conflict clause alone would wait for whoever is just changing an
    -- existing customer.
    WHERE agreed.unchanged
        AND NOT EXISTS (SELECT FROM customers WHERE id = ANY (ARRAY[placed.customer_id]))
    GROUP BY placed.customer_id
    ORDER BY placed.customer_id
    ON CONFLICT (id) DO NOTHING
), new_orders AS (
    INSERT INTO orders (id, customer_id, total, status, created_at)
    SELECT placed.id, placed.customer_id, placed.total, $8, placed.created_at
    FROM agreed, unnest($4::bigint[], $5::bigint[], $6::numeric[], $7::timestamptz[])
        AS placed (id, customer_id, total, created_at)
    WHERE agreed.unchanged
), new_items AS (
    INSERT INTO order_items
        (order_id, product_id, product_name, category, quantity, price, stock_taken)
    SELECT line.*
    FROM agreed, unnest($9::bigint[], $10::bigint[], $11::text[], $12::text[], $13::integer[],
                        $14::numeric[], $15::integer[])
        AS line (order_id, product_id, product_name, category, quantity, price, stock_taken)
    WHERE agreed.unchanged
), new_events AS (
    INSERT INTO outbox (id, topic, payload)
    SELECT event.id, event.topic, event.payload::jsonb
    FROM agreed, unnest($16::uuid[], $17::text[], $18::text[]) AS event (id, topic, payload)
    WHERE agreed.unchanged
), kept_answers AS (
    -- By ascending key, and after the products: see the table.
    INSERT INTO idempotency_keys
        (scope, caller, key, body_sha256, status, event_id, location, body)
    SELECT scope, caller, key, decode(body_sha256, 'hex'), status, event_id, location, body
    FROM agreed, json_to_recordset($20::text::json) AS answer (
        scope text, caller text, key text, body_sha256 text, status smallint,
        event_id uuid, location text, body text
    )
    WHERE agreed.unchanged
    ORDER BY key
)
SELECT
    unchanged AS "unchanged!",
    -- As many as were used, for the next orders.
    ARRAY(
        SELECT nextval('orders_id_seq') FROM generate_series(1, cardinality($4))
    ) AS "next_order_ids!"
FROM agreed
