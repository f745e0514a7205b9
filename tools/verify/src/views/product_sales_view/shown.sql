SELECT
    product_id,
    cancelled_quantity,
    refunded_quantity,
    total_quantity_sold,
    cancelled_revenue,
    refunded_revenue,
    total_revenue,
    cancelled_orders,
    refunded_orders,
    order_count
FROM product_sales_view
