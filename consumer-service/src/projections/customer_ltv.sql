-- Adds a batch to customer_ltv_view. The parameters are arrays, one per column; a column
-- of zeros is empty.
INSERT INTO customer_ltv_view AS view (
    customer_id, total_spent, order_count, cancelled_spent, cancelled_orders,
    refunded_spent, refunded_orders, last_order_date
)
SELECT
    customer_id, coalesce(total_spent, 0), coalesce(order_count, 0),
    coalesce(cancelled_spent, 0), coalesce(cancelled_orders, 0),
    coalesce(refunded_spent, 0), coalesce(refunded_orders, 0), last_order_date
FROM unnest(
    $1::bigint[], $2::numeric[], $3::bigint[], $4::numeric[], $5::bigint[], $6::numeric[],
    $7::bigint[], $8::timestamptz[]
) AS delta (
    customer_id, total_spent, order_count, cancelled_spent, cancelled_orders,
    refunded_spent, refunded_orders, last_order_date
)
ON CONFLICT (customer_id) DO UPDATE
SET
    total_spent = view.total_spent + excluded.total_spent,
    order_count = view.order_count + excluded.order_count,
    cancelled_spent = view.cancelled_spent + excluded.cancelled_spent,
    cancelled_orders = view.cancelled_orders + excluded.cancelled_orders,
    refunded_spent = view.refunded_spent + excluded.refunded_spent,
    refunded_orders = view.refunded_orders + excluded.refunded_orders,
    last_order_date = greatest(view.last_order_date, excluded.last_order_date)
