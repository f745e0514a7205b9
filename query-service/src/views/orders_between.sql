-- A page of the orders placed in a period, by id. Ids and times mostly rise together, but not
-- always, so one cannot replace the other: each day yields a page, and the first rows of all
-- these pages are the result. `{columns}` stands for the columns of `orders.rs`.
--
-- $1 whether ids descend; $2 the first id that may be shown; $3 maximum number of
-- rows; $4 and $5 start and end (exclusive) of the period, null if it is open.
WITH RECURSIVE days AS (
    -- Skips days without orders.
    SELECT min(created_on) AS day
    FROM orders_read
    WHERE ($4::timestamptz IS NULL OR created_on >= ($4 AT TIME ZONE 'UTC')::date)
        AND ($5::timestamptz IS NULL OR created_on <= ($5 AT TIME ZONE 'UTC')::date)
    UNION ALL
    SELECT (
        SELECT min(created_on)
        FROM orders_read
        WHERE created_on > days.day
            AND ($5 IS NULL OR created_on <= ($5 AT TIME ZONE 'UTC')::date)
    )
    FROM days
    WHERE days.day IS NOT NULL
)
SELECT page.*
FROM days
CROSS JOIN LATERAL (
    (
        SELECT {columns}
        FROM orders_read
        WHERE NOT $1 AND order_id >= $2 AND created_on = days.day
            AND items IS NOT NULL
            AND ($4 IS NULL OR created_at >= $4)
            AND ($5 IS NULL OR created_at < $5)
        ORDER BY order_id
        LIMIT $3
    )
    UNION ALL
    (
        SELECT {columns}
        FROM orders_read
        WHERE $1 AND order_id <= $2 AND created_on = days.day
            AND items IS NOT NULL
            AND ($4 IS NULL OR created_at >= $4)
            AND ($5 IS NULL OR created_at < $5)
        ORDER BY order_id DESC
        LIMIT $3
    )
) AS page
ORDER BY CASE WHEN $1 THEN -page.order_id ELSE page.order_id END
LIMIT $3
