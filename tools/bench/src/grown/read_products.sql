-- The products of insert_products.sql, as in the views.
--
-- $1: number; $2: number of categories; $3: stock of each.
INSERT INTO products_read
    (product_id, name, category, price, state_version, stock_tracked, stock_put_in, updated_at)
SELECT
    id,
    'Product ' || lpad(id::text, 12, '0'),
    'Category ' || lpad((id % $2)::text, 3, '0'),
    (id * 37 % 9900 + 100)::numeric / 100,
    1,
    TRUE,
    $3,
    now()
FROM generate_series(1, $1) AS product (id)
