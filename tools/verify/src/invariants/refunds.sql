-- What was refunded of an order is the sum over its lines, over its refunds, and over the items of
-- these. An order that was refunded whole before refunds were stored has none.
SELECT
    'order ' || orders.id AS subject,
    rule.what,
    coalesce(rule.expected, 0)::text AS expected,
    coalesce(rule.found, 0)::text AS found
FROM orders
LEFT JOIN (
    SELECT order_id, sum(refunded_quantity) AS quantity, sum(refunded_amount) AS amount
    FROM order_items
    WHERE refunded_quantity > 0 OR refunded_amount > 0
    GROUP BY order_id
) AS line ON line.order_id = orders.id
LEFT JOIN (
    SELECT order_id, sum(amount) AS amount
    FROM refunds
    GROUP BY order_id
) AS refund ON refund.order_id = orders.id
LEFT JOIN (
    SELECT order_id, sum(quantity) AS quantity, sum(amount) AS amount
    FROM refund_items
    GROUP BY order_id
) AS item ON item.order_id = orders.id
CROSS JOIN LATERAL (
    VALUES
        ('refunded of its lines', orders.refunded_total, line.amount),
        ('sum of its refunds', line.amount, coalesce(refund.amount, line.amount)),
        ('amount of their items', refund.amount, item.amount),
        ('units of their items', line.quantity, coalesce(item.quantity, line.quantity))
) AS rule (what, expected, found)
WHERE
    (orders.refunded_total > 0 OR line.order_id IS NOT NULL OR refund.order_id IS NOT NULL)
    AND coalesce(rule.expected, 0) <> coalesce(rule.found, 0)
ORDER BY orders.id, rule.what
