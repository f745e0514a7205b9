-- Adds a batch to product_sales_view. The parameters are arrays, one per column; a column
-- of zeros is empty.
-- Stock taken: pieces that orders took from the stock, less those put back.
INSERT INTO product_sales_view AS view (
    product_id, total_quantity_sold, total_revenue, order_count, cancelled_quantity,
    cancelled_revenue, cancelled_orders, refunded_quantity, refunded_revenue,
    refunded_orders, stock_taken, stock_moved_at
)
SELECT
    product_id, coalesce(total_quantity_sold, 0), coalesce(total_revenue, 0),
    coalesce(order_count, 0), coalesce(cancelled_quantity, 0),
    coalesce(cancelled_revenue, 0), coalesce(cancelled_orders, 0),
    coalesce(refunded_quantity, 0), coalesce(refunded_revenue, 0),
    coalesce(refunded_orders, 0), coalesce(stock_taken, 0), stock_moved_at
FROM unnest(
    $1::bigint[], $2::bigint[], $3::numeric[], $4::bigint[], $5::bigint[], $6::numeric[],
    $7::bigint[], $8::bigint[], $9::numeric[], $10::bigint[], $11::bigint[],
    $12::timestamptz[]
) AS delta (
    product_id, total_quantity_sold, total_revenue, order_count, cancelled_quantity,
    cancelled_revenue, cancelled_orders, refunded_quantity, refunded_revenue,
    refunded_orders, stock_taken, stock_moved_at
)
ON CONFLICT (product_id) DO UPDATE
SET
    total_quantity_sold = view.total_quantity_sold + excluded.total_quantity_sold,
    total_revenue = view.total_revenue + excluded.total_revenue,
    order_count = view.order_count + excluded.order_count,
    cancelled_quantity = view.cancelled_quantity + excluded.cancelled_quantity,
    cancelled_revenue = view.cancelled_revenue + excluded.cancelled_revenue,
    cancelled_orders = view.cancelled_orders + excluded.cancelled_orders,
    refunded_quantity = view.refunded_quantity + excluded.refunded_quantity,
    refunded_revenue = view.refunded_revenue + excluded.refunded_revenue,
    refunded_orders = view.refunded_orders + excluded.refunded_orders,
    stock_taken = view.stock_taken + excluded.stock_taken,
    stock_moved_at = greatest(view.stock_moved_at, excluded.stock_moved_at)
