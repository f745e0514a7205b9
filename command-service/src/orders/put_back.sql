-- Stores the units that cancellations put back: on the lines of the orders, and in the stock of
-- the products, which the caller holds locked.
--
-- $1 to $3 lines: order, id, returned units; $4 and $5 products and their new stock.
WITH lines AS (
    UPDATE order_items
    SET stock_returned = line.returned
    FROM unnest($1::bigint[], $2::bigint[], $3::integer[]) AS line (order_id, id, returned)
    WHERE order_items.order_id = line.order_id AND order_items.id = line.id
)
UPDATE products
SET stock = counted.stock, version = products.version + 1
FROM unnest($4::bigint[], $5::integer[]) AS counted (product_id, stock)
WHERE products.id = counted.product_id
