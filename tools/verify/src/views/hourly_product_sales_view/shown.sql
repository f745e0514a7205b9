SELECT
    hour_timestamp,
    product_id,
    cancelled_quantity,
    refunded_quantity,
    total_quantity,
    cancelled_revenue,
    refunded_revenue,
    total_revenue,
    cancelled_orders,
    refunded_orders,
    total_orders
FROM hourly_product_sales_view
