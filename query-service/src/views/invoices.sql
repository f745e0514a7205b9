-- The orders of a customer's invoice, with the sum and the number of all of them. Of each order
-- only the first lines, which the description names.
--
-- $1 customer; $2 and $3 start and end (exclusive) of the month; $4 maximum number of rows.
SELECT
    order_id AS "order_id!",
    jsonb_path_query_array(items, '$[0 to 9]')::text AS "first_items!",
    jsonb_array_length(items) AS "item_count!",
    listed.total AS "total!: Amount",
    listed.refunded_total AS "refunded_total!: Amount",
    listed.total - listed.refunded_total AS "net_amount!: Amount",
    listed.created_at AS "created_at!",
    listed.invoice_total AS "invoice_total!: Amount",
    listed.invoice_refunded AS "invoice_refunded!: Amount",
    listed.order_count AS "order_count!"
FROM (
    SELECT
        order_id,
        total,
        refunded_total,
        created_at,
        sum(total - refunded_total) OVER () AS invoice_total,
        sum(refunded_total) OVER () AS invoice_refunded,
        count(*) OVER () AS order_count
    FROM orders_read
    WHERE customer_id = $1
        AND created_at >= $2
        AND created_at < $3
        -- As in all other sums, these orders do not count.
        AND status NOT IN ('CANCELLED', 'REFUNDED')
        AND items IS NOT NULL
    ORDER BY order_id
    LIMIT $4
) AS listed
-- Reads the lines of the listed orders only.
JOIN orders_read USING (order_id)
ORDER BY order_id
