SELECT
    hour_timestamp,
    product_id,
    gross_quantity,
    cancelled_quantity,
    refunded_quantity,
    total_quantity,
    gross_revenue,
    cancelled_revenue,
    refunded_revenue,
    total_revenue,
    gross_orders,
    cancelled_orders,
    refunded_orders,
    total_orders
FROM hourly_product_sales_view
