-- The products that are otherwise created over HTTP.
--
-- $1: number; $2: number of categories; $3: stock of each.
INSERT INTO products (name, category, price, stock)
SELECT
    'Product ' || lpad(id::text, 12, '0'),
    'Category ' || lpad((id % $2)::text, 3, '0'),
    (id * 37 % 9900 + 100)::numeric / 100,
    $3
FROM generate_series(1, $1) AS product (id)
