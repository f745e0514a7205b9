SELECT
    customer_id,
    cancelled_spent,
    refunded_spent,
    total_spent,
    cancelled_orders,
    refunded_orders,
    order_count,
    last_order_date
FROM customer_ltv_view
