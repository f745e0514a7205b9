-- A page of orders, by id. `{columns}` stands for the columns of `orders.rs`.
--
-- $1 whether ids descend; $2 the first id that may be shown; $3 maximum number of
-- rows; $4 status; $5 customer; $6 and $7 start and end (exclusive) of the period in which they
-- were placed. A filter that is null does not apply.
WITH wanted AS NOT MATERIALIZED (
    SELECT {columns}
    FROM orders_read
    WHERE items IS NOT NULL
        AND ($4::text IS NULL OR status = $4)
        AND ($5::bigint IS NULL OR customer_id = $5)
        AND ($6::timestamptz IS NULL OR created_at >= $6)
        AND ($7::timestamptz IS NULL OR created_at < $7)
)
-- The planner knows $1 and so omits one of the two.
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
