-- A category's revenue. Its name is null if there is none; that asked for if
-- several differ from it in case.
--
-- $1 category.
WITH exact AS (
    SELECT category_name, total_revenue, total_orders
    FROM category_metrics_view
    WHERE category_name = $1
), matching AS (
    SELECT * FROM exact
    UNION ALL
    SELECT category_name, total_revenue, total_orders
    FROM category_metrics_view
    WHERE lower(category_name) = lower($1) AND NOT EXISTS (SELECT FROM exact)
)
SELECT
    CASE count(*) WHEN 0 THEN NULL WHEN 1 THEN min(category_name) ELSE $1 END AS category,
    coalesce(sum(total_revenue), 0) AS "total_revenue!",
    coalesce(sum(total_orders), 0)::bigint AS "total_orders!"
FROM matching
