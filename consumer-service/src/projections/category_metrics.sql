-- Adds a batch to category_metrics_view. The parameters are arrays, one per column; a column
-- of zeros is empty.
INSERT INTO category_metrics_view AS view (
    category_name, total_revenue, total_orders, cancelled_revenue, cancelled_orders,
    refunded_revenue, refunded_orders
)
SELECT
    category_name, coalesce(total_revenue, 0), coalesce(total_orders, 0),
    coalesce(cancelled_revenue, 0), coalesce(cancelled_orders, 0),
    coalesce(refunded_revenue, 0), coalesce(refunded_orders, 0)
FROM unnest(
    $1::text[], $2::numeric[], $3::bigint[], $4::numeric[], $5::bigint[], $6::numeric[],
    $7::bigint[]
) AS delta (
    category_name, total_revenue, total_orders, cancelled_revenue, cancelled_orders,
    refunded_revenue, refunded_orders
)
ON CONFLICT (category_name) DO UPDATE
SET
    total_revenue = view.total_revenue + excluded.total_revenue,
    total_orders = view.total_orders + excluded.total_orders,
    cancelled_revenue = view.cancelled_revenue + excluded.cancelled_revenue,
    cancelled_orders = view.cancelled_orders + excluded.cancelled_orders,
    refunded_revenue = view.refunded_revenue + excluded.refunded_revenue,
    refunded_orders = view.refunded_orders + excluded.refunded_orders
