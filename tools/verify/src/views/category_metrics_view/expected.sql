-- What each category sold, by the category as ordered. A category is there, with
-- zeros, once a product is or was in it; which it was, only the outbox knows.
SELECT
    category_name,
    cancelled_revenue,
    refunded_revenue,
    (placed_revenue - cancelled_revenue - refunded_revenue)::numeric(24, 4) AS total_revenue,
    cancelled_orders,
    refunded_orders,
    placed_orders - cancelled_orders - refunded_orders AS total_orders
FROM (
    SELECT
        category AS category_name,
        coalesce(sum(amount) FILTER (WHERE placed), 0)::numeric(24, 4) AS placed_revenue,
        coalesce(sum(amount) FILTER (WHERE cancelled), 0)::numeric(24, 4) AS cancelled_revenue,
        coalesce(sum(amount) FILTER (WHERE refunded), 0)::numeric(24, 4) AS refunded_revenue,
        count(*) FILTER (WHERE placed) AS placed_orders,
        count(*) FILTER (WHERE cancelled) AS cancelled_orders,
        count(*) FILTER (WHERE refunded) AS refunded_orders
    FROM (
        SELECT order_id, category, placed, cancelled, refunded, sum(amount) AS amount
        FROM sold_lines
        GROUP BY order_id, category, placed, cancelled, refunded
        UNION ALL
        SELECT DISTINCT NULL::bigint, payload ->> 'category', FALSE, FALSE, FALSE, 0
        FROM seen_product_events
    ) AS sale
    GROUP BY category
) AS category
