SELECT
    hour_timestamp,
    gross_revenue,
    cancelled_revenue,
    refunded_revenue,
    total_revenue,
    gross_orders,
    cancelled_orders,
    refunded_orders,
    total_orders
FROM hourly_sales_view
