-- Adds a batch to hourly_product_sales_view. The parameters are arrays, one per column; a
-- column of zeros is empty.
INSERT INTO hourly_product_sales_view AS view (
    hour_timestamp, product_id, total_quantity, total_revenue, total_orders,
    cancelled_quantity, cancelled_revenue, cancelled_orders, refunded_quantity,
    refunded_revenue, refunded_orders
)
SELECT
    hour_timestamp, product_id, coalesce(total_quantity, 0), coalesce(total_revenue, 0),
    coalesce(total_orders, 0), coalesce(cancelled_quantity, 0),
    coalesce(cancelled_revenue, 0), coalesce(cancelled_orders, 0),
    coalesce(refunded_quantity, 0), coalesce(refunded_revenue, 0),
    coalesce(refunded_orders, 0)
FROM unnest(
    $1::timestamptz[], $2::bigint[], $3::bigint[], $4::numeric[], $5::bigint[],
    $6::bigint[], $7::numeric[], $8::bigint[], $9::bigint[], $10::numeric[], $11::bigint[]
) AS delta (
    hour_timestamp, product_id, total_quantity, total_revenue, total_orders,
    cancelled_quantity, cancelled_revenue, cancelled_orders, refunded_quantity,
    refunded_revenue, refunded_orders
)
ON CONFLICT (hour_timestamp, product_id) DO UPDATE
SET
    total_quantity = view.total_quantity + excluded.total_quantity,
    total_revenue = view.total_revenue + excluded.total_revenue,
    total_orders = view.total_orders + excluded.total_orders,
    cancelled_quantity = view.cancelled_quantity + excluded.cancelled_quantity,
    cancelled_revenue = view.cancelled_revenue + excluded.cancelled_revenue,
    cancelled_orders = view.cancelled_orders + excluded.cancelled_orders,
    refunded_quantity = view.refunded_quantity + excluded.refunded_quantity,
    refunded_revenue = view.refunded_revenue + excluded.refunded_revenue,
    refunded_orders = view.refunded_orders + excluded.refunded_orders
