\set id random(1, :customers)
SELECT customer_id, total_spent, order_count, last_order_date
FROM customer_ltv_view
WHERE customer_id = :id::bigint;
