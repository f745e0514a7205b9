-- The sums of all orders, with one statement per view, and the counts for the lag. The lines of
-- an order are of different products and categories, so the number of lines is the number of
-- orders there.
INSERT INTO product_sales_view (product_id, total_quantity_sold, total_revenue, order_count)
SELECT product_id, sum(quantity), sum(quantity * price), count(*)
FROM pg_temp.filling
CROSS JOIN LATERAL pg_temp.lines(1, filling.orders) AS line
GROUP BY product_id;

INSERT INTO category_metrics_view (category_name, total_revenue, total_orders)
SELECT category, sum(quantity * price), count(*)
FROM pg_temp.filling
CROSS JOIN LATERAL pg_temp.lines(1, filling.orders) AS line
GROUP BY category;

INSERT INTO customer_ltv_view (customer_id, total_spent, order_count, last_order_date)
SELECT customer_id, sum(total), count(*), max(created_at)
FROM orders_read
GROUP BY customer_id;

INSERT INTO hourly_sales_view (hour_timestamp, total_revenue, total_orders)
SELECT date_trunc('hour', created_at, 'UTC'), sum(total), count(*)
FROM orders_read
GROUP BY 1;

INSERT INTO hourly_product_sales_view
    (hour_timestamp, product_id, total_quantity, total_revenue, total_orders)
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
