-- Rows that cost less to keep.
--
-- What clients read stays under its name, but is a view now, over a table that
-- holds only what is added up: an order adds to some seven rows, and totals kept in
-- them were computed anew each time, at a third of the row's cost. A product's
-- stock is computed as well, from what was put in and what orders took: so an order
-- writes one row for each of its products instead of two.
--
-- Computed columns have the types of those that were stored: services that run on
-- during the migration keep their prepared statements.
SET LOCAL search_path = live, public;

-- Room on the page, and no index on what changes: rows are rewritten in place.

CREATE TABLE product_sales (
    product_id         BIGINT PRIMARY KEY,
    gross_quantity     BIGINT NOT NULL DEFAULT 0,
    cancelled_quantity BIGINT NOT NULL DEFAULT 0,
    refunded_quantity  BIGINT NOT NULL DEFAULT 0,
    gross_revenue      NUMERIC(24, 4) NOT NULL DEFAULT 0,
    cancelled_revenue  NUMERIC(24, 4) NOT NULL DEFAULT 0,
    refunded_revenue   NUMERIC(24, 4) NOT NULL DEFAULT 0,
    -- Orders that name the product, however many of their lines do.
    gross_orders       BIGINT NOT NULL DEFAULT 0,
    cancelled_orders   BIGINT NOT NULL DEFAULT 0,
    refunded_orders    BIGINT NOT NULL DEFAULT 0,
    -- Pieces that orders took from the stock, less those they gave back; and when
    -- the last of these orders was placed or cancelled.
    stock_taken        BIGINT NOT NULL DEFAULT 0,
    stock_moved_at     TIMESTAMPTZ
) WITH (fillfactor = 70);

INSERT INTO product_sales
SELECT product_id, gross_quantity, cancelled_quantity, refunded_quantity, gross_revenue,
       cancelled_revenue, refunded_revenue, gross_orders, cancelled_orders, refunded_orders
FROM product_sales_view;
DROP TABLE product_sales_view;

CREATE VIEW product_sales_view AS
SELECT
    *,
    gross_quantity - cancelled_quantity - refunded_quantity AS total_quantity_sold,
    (gross_revenue - cancelled_revenue - refunded_revenue)::numeric(24, 4)
        AS total_revenue,
    gross_orders - cancelled_orders - refunded_orders AS order_count
FROM product_sales;

CREATE TABLE category_metrics (
    -- Every category that a product ever had, and as ordered.
    category_name     TEXT PRIMARY KEY,
    gross_revenue     NUMERIC(24, 4) NOT NULL DEFAULT 0,
    cancelled_revenue NUMERIC(24, 4) NOT NULL DEFAULT 0,
    refunded_revenue  NUMERIC(24, 4) NOT NULL DEFAULT 0,
    -- Orders with a line of the category.
    gross_orders      BIGINT NOT NULL DEFAULT 0,
    cancelled_orders  BIGINT NOT NULL DEFAULT 0,
    refunded_orders   BIGINT NOT NULL DEFAULT 0
) WITH (fillfactor = 70);

INSERT INTO category_metrics
SELECT category_name, gross_revenue, cancelled_revenue, refunded_revenue, gross_orders,
       cancelled_orders, refunded_orders
FROM category_metrics_view;
DROP TABLE category_metrics_view;

-- For the look-up without regard to case.
CREATE INDEX category_metrics_lower ON category_metrics (lower(category_name));

CREATE VIEW category_metrics_view AS
SELECT
    *,
    (gross_revenue - cancelled_revenue - refunded_revenue)::numeric(24, 4)
        AS total_revenue,
    gross_orders - cancelled_orders - refunded_orders AS total_orders
FROM category_metrics;

CREATE TABLE customer_ltv (
    customer_id      BIGINT PRIMARY KEY,
    gross_spent      NUMERIC(24, 4) NOT NULL DEFAULT 0,
    cancelled_spent  NUMERIC(24, 4) NOT NULL DEFAULT 0,
    refunded_spent   NUMERIC(24, 4) NOT NULL DEFAULT 0,
    gross_orders     BIGINT NOT NULL DEFAULT 0,
    cancelled_orders BIGINT NOT NULL DEFAULT 0,
    refunded_orders  BIGINT NOT NULL DEFAULT 0,
    -- The last order placed, cancelled or not.
    last_order_date  TIMESTAMPTZ
) WITH (fillfactor = 70);

INSERT INTO customer_ltv
SELECT customer_id, gross_spent, cancelled_spent, refunded_spent, gross_orders,
       cancelled_orders, refunded_orders, last_order_date
FROM customer_ltv_view;
DROP TABLE customer_ltv_view;

CREATE VIEW customer_ltv_view AS
SELECT
    *,
    (gross_spent - cancelled_spent - refunded_spent)::numeric(24, 4)
        AS total_spent,
    gross_orders - cancelled_orders - refunded_orders AS order_count
FROM customer_ltv;

-- Sales belong to the hour of the order, in UTC.
CREATE TABLE hourly_sales (
    hour_timestamp    TIMESTAMPTZ PRIMARY KEY,
    gross_revenue     NUMERIC(24, 4) NOT NULL DEFAULT 0,
    cancelled_revenue NUMERIC(24, 4) NOT NULL DEFAULT 0,
    refunded_revenue  NUMERIC(24, 4) NOT NULL DEFAULT 0,
    gross_orders      BIGINT NOT NULL DEFAULT 0,
    cancelled_orders  BIGINT NOT NULL DEFAULT 0,
    refunded_orders   BIGINT NOT NULL DEFAULT 0
) WITH (fillfactor = 70);

INSERT INTO hourly_sales
SELECT hour_timestamp, gross_revenue, cancelled_revenue, refunded_revenue, gross_orders,
       cancelled_orders, refunded_orders
FROM hourly_sales_view;
DROP TABLE hourly_sales_view;

CREATE VIEW hourly_sales_view AS
SELECT
    *,
    gross_orders - cancelled_orders - refunded_orders AS total_orders,
    (gross_revenue - cancelled_revenue - refunded_revenue)::numeric(24, 4)
        AS total_revenue
FROM hourly_sales;

CREATE TABLE hourly_product_sales (
    hour_timestamp     TIMESTAMPTZ NOT NULL,
    product_id         BIGINT NOT NULL,
    gross_quantity     BIGINT NOT NULL DEFAULT 0,
    cancelled_quantity BIGINT NOT NULL DEFAULT 0,
    refunded_quantity  BIGINT NOT NULL DEFAULT 0,
    gross_revenue      NUMERIC(24, 4) NOT NULL DEFAULT 0,
    cancelled_revenue  NUMERIC(24, 4) NOT NULL DEFAULT 0,
    refunded_revenue   NUMERIC(24, 4) NOT NULL DEFAULT 0,
    gross_orders       BIGINT NOT NULL DEFAULT 0,
    cancelled_orders   BIGINT NOT NULL DEFAULT 0,
    refunded_orders    BIGINT NOT NULL DEFAULT 0
) WITH (fillfactor = 70);

INSERT INTO hourly_product_sales
SELECT hour_timestamp, product_id, gross_quantity, cancelled_quantity, refunded_quantity,
       gross_revenue, cancelled_revenue, refunded_revenue, gross_orders, cancelled_orders,
       refunded_orders
FROM hourly_product_sales_view;
DROP TABLE hourly_product_sales_view;

ALTER TABLE hourly_product_sales ADD PRIMARY KEY (hour_timestamp, product_id);
-- The windows of one product.
CREATE INDEX hourly_product_sales_product ON hourly_product_sales (product_id, hour_timestamp);

CREATE VIEW hourly_product_sales_view AS
SELECT
    *,
    gross_quantity - cancelled_quantity - refunded_quantity AS total_quantity,
    (gross_revenue - cancelled_revenue - refunded_revenue)::numeric(24, 4)
        AS total_revenue,
    gross_orders - cancelled_orders - refunded_orders AS total_orders
FROM hourly_product_sales;

-- Products as the events about them tell, and nothing of orders.
ALTER TABLE products_read_view RENAME TO products_read;
ALTER INDEX products_read_view_pkey RENAME TO products_read_pkey;
ALTER INDEX products_read_view_category RENAME TO products_read_category;
ALTER TABLE products_read DROP COLUMN stock;
-- Sum of the deltas of product events. Of rows that are older than this migration
-- it is what was left then; what orders take from now on is counted beside it.
ALTER TABLE products_read RENAME COLUMN stock_sum TO stock_put_in;

-- Rows of products that only orders had told of.
INSERT INTO product_sales (product_id, stock_taken, stock_moved_at)
SELECT product_id, -stock_put_in, updated_at
FROM products_read
WHERE name IS NULL
ON CONFLICT (product_id) DO UPDATE
SET stock_taken = excluded.stock_taken, stock_moved_at = excluded.stock_moved_at;
DELETE FROM products_read
WHERE name IS NULL;

ALTER TABLE products_read
ALTER COLUMN name SET NOT NULL,
ALTER COLUMN category SET NOT NULL,
ALTER COLUMN price SET NOT NULL;

CREATE VIEW products_read_view AS
SELECT
    product_id,
    product.name,
    product.category,
    product.price,
    -- Null: not tracked.
    CASE WHEN product.stock_tracked THEN product.stock_put_in - coalesce(sales.stock_taken, 0) END
        AS stock,
    greatest(product.updated_at, sales.stock_moved_at) AS updated_at
FROM products_read AS product
LEFT JOIN product_sales AS sales USING (product_id);

-- One index of a customer's orders instead of two: lists are by id, and for an
-- invoice the month is looked for among the entries of the customer.
CREATE INDEX orders_read_of_customer ON orders_read (customer_id, order_id, created_at);
DROP INDEX orders_read_customer;
DROP INDEX orders_read_customer_month;
