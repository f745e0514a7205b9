-- Stores a refund of an order that the caller holds locked, as are the products, and returns its
-- id.
--
-- $1 order; $2 its new status; $3 its new version; $4 the sum of all its refunds; $5 reason; $6
-- amount; $7 time; $8 to $11 lines: id, refunded units, refunded amount, units put back into the
-- stock; $12 and $13 products and their new stock.
WITH refund AS (
    INSERT INTO refunds (order_id, amount, refunded_total, status, reason, created_at)
    VALUES ($1, $6, $4, $2, $5, $7)
    RETURNING id
), items AS (
    INSERT INTO refund_items (refund_id, order_id, item_id, quantity, amount, stock_returned)
    SELECT refund.id, $1, item.*
    FROM refund, unnest($8::bigint[], $9::integer[], $10::numeric[], $11::integer[]) AS item
), lines AS (
    UPDATE order_items
    SET refunded_quantity = refunded_quantity + item.quantity,
        refunded_amount = refunded_amount + item.amount
    FROM unnest($8::bigint[], $9::integer[], $10::numeric[]) AS item (id, quantity, amount)
    WHERE order_items.order_id = $1 AND order_items.id = item.id
), restocked AS (
    UPDATE products
    SET stock = counted.stock, version = products.version + 1
    FROM unnest($12::bigint[], $13::integer[]) AS counted (product_id, stock)
    WHERE products.id = counted.product_id
), changed AS (
    UPDATE orders
    SET status = $2, version = $3, refunded_total = $4, reason = $5
    WHERE id = $1
)
SELECT id FROM refund
