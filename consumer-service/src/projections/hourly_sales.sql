-- Adds to what was sold in each hour. Parameters: arrays, column by column.
INSERT INTO hourly_sales_view AS view
    (
        hour_timestamp, gross_revenue, gross_orders, cancelled_revenue, cancelled_orders,
        refunded_revenue, refunded_orders
    )
SELECT *
FROM unnest(
    $1::timestamptz[], $2::numeric[], $3::bigint[], $4::numeric[], $5::bigint[], $6::numeric[],
    $7::bigint[]
)
ON CONFLICT (hour_timestamp) DO UPDATE
SET
    gross_revenue = view.gross_revenue + excluded.gross_revenue,
    gross_orders = view.gross_orders + excluded.gross_orders,
    cancelled_revenue = view.cancelled_revenue + excluded.cancelled_revenue,
    cancelled_orders = view.cancelled_orders + excluded.cancelled_orders,
    refunded_revenue = view.refunded_revenue + excluded.refunded_revenue,
    refunded_orders = view.refunded_orders + excluded.refunded_orders
