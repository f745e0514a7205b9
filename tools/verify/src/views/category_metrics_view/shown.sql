SELECT
    category_name,
    cancelled_revenue,
    refunded_revenue,
    total_revenue,
    cancelled_orders,
    refunded_orders,
    total_orders
FROM category_metrics_view
