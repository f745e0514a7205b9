-- The orders that both databases get: their number, and the lines of each, computed from its
-- id. So both databases compute the same orders.
CREATE TEMPORARY TABLE filling (
    orders  BIGINT NOT NULL,
    started TIMESTAMPTZ NOT NULL,
    -- Seconds from one order to the next.
    step    DOUBLE PRECISION NOT NULL
);

-- The lines of the orders from first to last: 1 to 3 each, of different products and
-- different categories. The products are those of insert_products.sql.
CREATE FUNCTION pg_temp.lines(first BIGINT, last BIGINT)
RETURNS TABLE (
    order_id     BIGINT,
    place        INTEGER,
    customer_id  BIGINT,
    ordered_at   TIMESTAMPTZ,
    event_id     UUID,
    product_id   BIGINT,
    product_name TEXT,
    category     TEXT,
    quantity     INTEGER,
    price        NUMERIC
)
STABLE LANGUAGE sql AS $$
    SELECT
        placed.id,
        line.place,
        placed.id * 48271 % 100000 + 1,
        placed.ordered_at,
        -- UUIDv7 of that time, with the order's id for its random bits.
        (
            lpad(to_hex(floor(extract(epoch FROM placed.ordered_at) * 1000)::bigint), 12, '0')
            || '70008'
            || lpad(to_hex(placed.id), 15, '0')
        )::uuid,
        product.id,
        'Product ' || lpad(product.id::text, 12, '0'),
        'Category ' || lpad((product.id % 100)::text, 3, '0'),
        1 + ((placed.id + line.place) % 5)::integer,
        (product.id * 37 % 9900 + 100)::numeric / 100
    FROM pg_temp.filling
    CROSS JOIN LATERAL (
        SELECT id, filling.started + make_interval(secs => filling.step * id) AS ordered_at
        FROM generate_series(first, last) AS series (id)
    ) AS placed
    CROSS JOIN LATERAL generate_series(1, 1 + (placed.id % 3)::integer) AS line (place)
    CROSS JOIN LATERAL (
        SELECT (placed.id * 7919 + line.place * 104729) % 10000 + 1 AS id
    ) AS product
$$;
