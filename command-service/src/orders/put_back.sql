-- Stores the units that a cancellation puts back: on the lines of the order, and in the stock of
-- the products, which the caller holds locked.
--
-- $1 order; $2 and $3 lines and their returned units; $4 and $5 products and their new stock.
WITH lines AS (
    UPDATE order_items
    SET stock_returned = line.returned
    FROM unnest($2::bigint[], $3::integer[]) AS line (id, returned)
    WHERE order_items.order_id = $1 AND order_items.id = line.id
)
UPDATE products
SET stock = counted.stock, version = products.version + 1
FROM unnest($4::bigint[], $5::integer[]) AS counted (product_id, stock)
WHERE products.id = counted.product_id
