SELECT
    hour_timestamp,
    cancelled_revenue,
    refunded_revenue,
    total_revenue,
    cancelled_orders,
    refunded_orders,
    total_orders
FROM hourly_sales_view
