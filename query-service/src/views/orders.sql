-- A page of orders, by id. `{columns}` stands for the columns of `orders.rs`.
--
-- $1 whether ids descend; $2 the first id that may be shown; $3 most rows;
-- $4 status; $5 customer; $6 and $7 from when and until when they were placed.
-- Null filters nothing.
WITH wanted AS NOT MATERIALIZED (
    SELECT {columns}
    FROM orders_read
    WHERE ($4::text IS NULL OR status = $4)
        AND ($5::bigint IS NULL OR customer_id = $5)
        AND ($6::timestamptz IS NULL OR created_at >= $6)
        AND ($7::timestamptz IS NULL OR created_at < $7)
)
-- One of the two is known to be empty when the statement is planned.
(
    SELECT *
    FROM wanted
    WHERE NOT $1 AND order_id >= $2
    ORDER BY order_id
    LIMIT $3
)
UNION ALL
(
    SELECT *
    FROM wanted
    WHERE $1 AND order_id <= $2
    ORDER BY order_id DESC
    LIMIT $3
)
