-- Adds to what products sold. Parameters: arrays, column by column.
INSERT INTO product_sales_view AS view
    (
        product_id, gross_quantity, gross_revenue, gross_orders, cancelled_quantity,
        cancelled_revenue, cancelled_orders, refunded_quantity, refunded_revenue,
        refunded_orders
    )
SELECT *
FROM unnest(
    $1::bigint[], $2::bigint[], $3::numeric[], $4::bigint[], $5::bigint[], $6::numeric[],
    $7::bigint[], $8::bigint[], $9::numeric[], $10::bigint[]
)
ON CONFLICT (product_id) DO UPDATE
SET
    gross_quantity = view.gross_quantity + excluded.gross_quantity,
    gross_revenue = view.gross_revenue + excluded.gross_revenue,
    gross_orders = view.gross_orders + excluded.gross_orders,
    cancelled_quantity = view.cancelled_quantity + excluded.cancelled_quantity,
    cancelled_revenue = view.cancelled_revenue + excluded.cancelled_revenue,
    cancelled_orders = view.cancelled_orders + excluded.cancelled_orders,
    refunded_quantity = view.refunded_quantity + excluded.refunded_quantity,
    refunded_revenue = view.refunded_revenue + excluded.refunded_revenue,
    refunded_orders = view.refunded_orders + excluded.refunded_orders
