SELECT
    customer_id,
    gross_spent,
    cancelled_spent,
    refunded_spent,
    total_spent,
    gross_orders,
    cancelled_orders,
    refunded_orders,
    order_count,
    last_order_date
FROM customer_ltv_view
