-- What was sold in each hour. Sales belong to the hour of the order, in UTC.
SELECT
    hour AS hour_timestamp,
    cancelled_revenue,
    refunded_revenue,
    (placed_revenue - cancelled_revenue - refunded_revenue)::numeric(24, 4) AS total_revenue,
    cancelled_orders,
    refunded_orders,
    placed_orders - cancelled_orders - refunded_orders AS total_orders
FROM (
    SELECT
        hour,
        coalesce(sum(total) FILTER (WHERE placed), 0)::numeric(24, 4) AS placed_revenue,
        coalesce(sum(total) FILTER (WHERE cancelled), 0)::numeric(24, 4) AS cancelled_revenue,
        coalesce(sum(total) FILTER (WHERE refunded), 0)::numeric(24, 4) AS refunded_revenue,
        count(*) FILTER (WHERE placed) AS placed_orders,
        count(*) FILTER (WHERE cancelled) AS cancelled_orders,
        count(*) FILTER (WHERE refunded) AS refunded_orders
    FROM sales
    GROUP BY hour
) AS hour_of_sales
