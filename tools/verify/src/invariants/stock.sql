-- Stock is never negative.
SELECT
    'product ' || id AS subject,
    'stock' AS what,
    '0 or more' AS expected,
    stock::text AS found
FROM products
WHERE stock < 0
ORDER BY id
