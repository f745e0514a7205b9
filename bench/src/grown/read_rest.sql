-- The sums of all orders, each view in one go, and the counts that lag is told
-- by. An order's lines are of different products and categories, so lines count
-- its orders there.
INSERT INTO product_sales (product_id, gross_quantity, gross_revenue, gross_orders)
SELECT product_id, sum(quantity), sum(quantity * price), count(*)
FROM pg_temp.filling
CROSS JOIN LATERAL pg_temp.lines(1, filling.orders) AS line
GROUP BY product_id;

INSERT INTO category_metrics (category_name, gross_revenue, gross_orders)
SELECT category, sum(quantity * price), count(*)
FROM pg_temp.filling
CROSS JOIN LATERAL pg_temp.lines(1, filling.orders) AS line
GROUP BY category;

INSERT INTO customer_ltv (customer_id, gross_spent, gross_orders, last_order_date)
SELECT customer_id, sum(total), count(*), max(created_at)
FROM orders_read
GROUP BY customer_id;

INSERT INTO hourly_sales (hour_timestamp, gross_revenue, gross_orders)
SELECT date_trunc('hour', created_at, 'UTC'), sum(total), count(*)
FROM orders_read
GROUP BY 1;

INSERT INTO hourly_product_sales
    (hour_timestamp, product_id, gross_quantity, gross_revenue, gross_orders)
SELECT
    date_trunc('hour', ordered_at, 'UTC'),
    product_id,
    sum(quantity),
    sum(quantity * price),
    count(*)
FROM pg_temp.filling
CROSS JOIN LATERAL pg_temp.lines(1, filling.orders) AS line
GROUP BY 1, 2;

UPDATE topic_progress
SET seen = seen + orders
FROM pg_temp.filling
WHERE topic = 'order-events';

UPDATE sync_status
SET events_applied = events_applied + orders,
    last_processed_event_timestamp = now(),
    updated_at = now()
FROM pg_temp.filling;
