-- A page of products, by id.
--
-- $1 whether ids descend; $2 the first id that may be shown; $3 maximum number of
-- rows; $4 category, without regard to case, or null for all.
WITH wanted AS NOT MATERIALIZED (
    SELECT product_id, name, category, price, stock, updated_at
    FROM products_read_view
    WHERE $4::text IS NULL OR lower(category) = lower($4)
)
-- The planner knows $1 and so omits one of the two.
(
    SELECT
        product_id AS "id!",
        name AS "name!",
        category AS "category!",
        price AS "price!: Amount",
        stock,
        updated_at AS "updated_at!"
    FROM wanted
    WHERE NOT $1 AND product_id >= $2
    ORDER BY product_id
    LIMIT $3
)
UNION ALL
(
    SELECT *
    FROM wanted
    WHERE $1 AND product_id <= $2
    ORDER BY product_id DESC
    LIMIT $3
)
