-- The revenue of categories: of the one of exactly that name, or else of all whose
-- names differ from it only in case. The name shown is that asked for if they are
-- several.
--
-- $1 names asked for, each once.
SELECT
    asked.name AS "asked!",
    found.category AS "category!",
    found.total_revenue AS "total_revenue!: Amount",
    found.total_orders AS "total_orders!"
FROM unnest($1::text[]) AS asked (name)
CROSS JOIN LATERAL (
    WITH exact AS (
        SELECT category_name, total_revenue, total_orders
        FROM category_metrics_view
        WHERE category_name = asked.name
    ), matching AS (
        SELECT * FROM exact
        UNION ALL
        SELECT category_name, total_revenue, total_orders
        FROM category_metrics_view
        WHERE lower(category_name) = lower(asked.name) AND NOT EXISTS (SELECT FROM exact)
    )
    SELECT
        CASE count(*) WHEN 1 THEN min(category_name) ELSE asked.name END AS category,
        sum(total_revenue) AS total_revenue,
        sum(total_orders)::bigint AS total_orders
    FROM matching
    HAVING count(*) > 0
) AS found
