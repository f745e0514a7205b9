-- What placing orders begins with, in one round trip: the products, and ids for
-- the orders, each in rows of its own.
--
-- $1 products; $2 how many order ids.
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
