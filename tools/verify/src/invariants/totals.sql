-- The total of an order is the sum of its lines, and an order has at least one line.
SELECT
    'order ' || orders.id AS subject,
    'total' AS what,
    coalesce(line.total::text, 'lines') AS expected,
    orders.total::text AS found
FROM orders
LEFT JOIN (
    SELECT order_id, sum(quantity * price) AS total
    FROM order_items
    GROUP BY order_id
) AS line ON line.order_id = orders.id
WHERE orders.total IS DISTINCT FROM line.total
ORDER BY orders.id
