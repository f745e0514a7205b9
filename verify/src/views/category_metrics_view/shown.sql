SELECT
    category_name,
    gross_revenue,
    cancelled_revenue,
    refunded_revenue,
    total_revenue,
    gross_orders,
    cancelled_orders,
    refunded_orders,
    total_orders
FROM category_metrics_view
