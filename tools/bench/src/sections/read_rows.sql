-- The rows that are read by key: customers, products and orders with all ids that may be
-- requested. Existing rows do not change.
INSERT INTO customer_ltv_view (customer_id, total_spent, order_count, last_order_date)
SELECT id, id * 1.25, 1 + id % 20, now()
FROM generate_series(1, 100000) AS customer (id)
ON CONFLICT DO NOTHING;

INSERT INTO products_read
    (product_id, name, category, price, state_version, stock_tracked, stock_put_in, updated_at)
SELECT id, 'Product ' || id, 'Category ' || (id % 100), 9.99, 1, TRUE, 1000, now()
FROM generate_series(1, 10000) AS product (id)
ON CONFLICT DO NOTHING;

INSERT INTO product_sales_view (product_id, total_quantity_sold, total_revenue, order_count)
SELECT id, 3 * id, id * 29.97, id
FROM generate_series(1, 10000) AS product (id)
ON CONFLICT DO NOTHING;

INSERT INTO orders_read
    (order_id, customer_id, total, status, items, state_version, state_event, created_at,
     updated_at)
SELECT
    id,
    1 + id % 100000,
    19.98,
    'CREATED',
    jsonb_build_array(jsonb_build_object(
        'productId', 1 + id % 10000,
        'productName', 'Product ' || (1 + id % 10000),
        'category', 'Category ' || (id % 100),
        'quantity', 2,
        'price', 9.99,
        'stockTaken', 2
    )),
    1,
    gen_random_uuid(),
    now(),
    now()
FROM generate_series(1, 100000) AS placed (id)
ON CONFLICT DO NOTHING;
