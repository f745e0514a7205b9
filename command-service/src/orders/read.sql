-- Reads products and reserves order ids, in one round trip and in rows of their own.
--
-- $1 product ids; $2 number of order ids.
SELECT
    NULL::bigint AS order_id,
    id AS product_id,
    name,
    category,
    price,
    stock,
    version,
    created_at
FROM products
WHERE id = ANY($1)
UNION ALL
SELECT nextval('orders_id_seq'), NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM generate_series(1, $2)
