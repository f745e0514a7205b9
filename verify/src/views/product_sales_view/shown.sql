SELECT
    product_id,
    gross_quantity,
    cancelled_quantity,
    refunded_quantity,
    total_quantity_sold,
    gross_revenue,
    cancelled_revenue,
    refunded_revenue,
    total_revenue,
    gross_orders,
    cancelled_orders,
    refunded_orders,
    order_count
FROM product_sales_view
