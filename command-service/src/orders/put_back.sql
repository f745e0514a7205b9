-- Writes what a cancellation puts back: on the order's lines, and into the stock
-- of their products, which the caller holds locked.
--
-- $1 and $2 lines and pieces; $3 and $4 products and their stock from now on.
WITH lines AS (
    UPDATE order_items
    SET stock_returned = line.returned
    FROM unnest($1::bigint[], $2::integer[]) AS line (id, returned)
    WHERE order_items.id = line.id
)
UPDATE products
SET stock = counted.stock, version = products.version + 1
FROM unnest($3::bigint[], $4::integer[]) AS counted (product_id, stock)
WHERE products.id = counted.product_id
