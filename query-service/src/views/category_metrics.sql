-- The revenue of categories by name. If no category has exactly the requested name, those whose
-- names differ from it only in case are added up. The result of several categories has the
-- requested name.
--
-- $1 requested names, each once.
SELECT
    requested.name AS "requested!",
    found.category AS "category!",
    found.total_revenue AS "total_revenue!: Amount",
    found.total_orders AS "total_orders!"
FROM unnest($1::text[]) AS requested (name)
CROSS JOIN LATERAL (
    WITH exact AS (
        SELECT category_name, total_revenue, total_orders
        FROM category_metrics_view
        WHERE category_name = requested.name
    ), matching AS (
        SELECT * FROM exact
        UNION ALL
        SELECT category_name, total_revenue, total_orders
        FROM category_metrics_view
        WHERE lower(category_name) = lower(requested.name) AND NOT EXISTS (SELECT FROM exact)
    )
    SELECT
        CASE count(*) WHEN 1 THEN min(category_name) ELSE requested.name END AS category,
        sum(total_revenue) AS total_revenue,
        sum(total_orders)::bigint AS total_orders
    FROM matching
    HAVING count(*) > 0
) AS found
