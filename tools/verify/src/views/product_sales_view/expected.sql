-- What each product sold. An order counts once for a product, however many of its
-- lines name it.
SELECT
    product_id,
    cancelled_quantity,
    refunded_quantity,
    placed_quantity - cancelled_quantity - refunded_quantity AS total_quantity_sold,
    cancelled_revenue,
    refunded_revenue,
    (placed_revenue - cancelled_revenue - refunded_revenue)::numeric(24, 4) AS total_revenue,
    cancelled_orders,
    refunded_orders,
    placed_orders - cancelled_orders - refunded_orders AS order_count
FROM (
    SELECT
        product_id,
        coalesce(sum(quantity) FILTER (WHERE placed), 0)::bigint AS placed_quantity,
        coalesce(sum(quantity) FILTER (WHERE cancelled), 0)::bigint AS cancelled_quantity,
        coalesce(sum(quantity) FILTER (WHERE refunded), 0)::bigint AS refunded_quantity,
        coalesce(sum(amount) FILTER (WHERE placed), 0)::numeric(24, 4) AS placed_revenue,
        coalesce(sum(amount) FILTER (WHERE cancelled), 0)::numeric(24, 4) AS cancelled_revenue,
        coalesce(sum(amount) FILTER (WHERE refunded), 0)::numeric(24, 4) AS refunded_revenue,
        count(*) FILTER (WHERE placed) AS placed_orders,
        count(*) FILTER (WHERE cancelled) AS cancelled_orders,
        count(*) FILTER (WHERE refunded) AS refunded_orders
    FROM (
        SELECT
            order_id,
            product_id,
            placed,
            cancelled,
            refunded,
            sum(quantity) AS quantity,
            sum(amount) AS amount
        FROM sold_lines
        GROUP BY order_id, product_id, placed, cancelled, refunded
    ) AS sale
    GROUP BY product_id
) AS product
