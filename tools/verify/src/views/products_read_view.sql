-- The catalogue with current stock. The table `products` is right for products without
-- unapplied events; other products are as in their newest applied event.
SELECT
    product.id AS product_id,
    state.name,
    state.category,
    state.price,
    CASE
        WHEN state.stock_tracked
            -- Untracked stock counts as zero.
            THEN coalesce(product.stock, 0) - coalesce(unapplied.stock_delta, 0)
                + coalesce(moved.units, 0)
    END AS stock
FROM (
    SELECT id, name, category, price, stock IS NOT NULL AS stock_tracked
    FROM products
    WHERE NOT EXISTS (SELECT FROM unapplied_products WHERE product_id = products.id)
    UNION ALL
    (
        SELECT DISTINCT ON (product_id)
            product_id,
            payload ->> 'name',
            payload ->> 'category',
            (payload ->> 'price')::numeric,
            payload ->> 'stock' IS NOT NULL
        FROM applied_product_events
        -- The outbox is not read if there are none.
        WHERE EXISTS (SELECT FROM unapplied_products)
            AND product_id IN (SELECT product_id FROM unapplied_products)
        ORDER BY product_id, version DESC, id DESC
    )
) AS state
JOIN products AS product ON product.id = state.id
LEFT JOIN unapplied_products AS unapplied ON unapplied.product_id = product.id
-- The stock that unapplied orders took, less the stock that unapplied cancellations and refunds
-- returned.
LEFT JOIN (
    SELECT
        item.product_id,
        sum(
            CASE WHEN unapplied.is_creation_unapplied THEN item.stock_taken ELSE 0 END
            - CASE
                WHEN orders.status = 'CANCELLED' AND unapplied.newest_unapplied > 0
                    THEN item.stock_returned
                ELSE 0
            END
            - coalesce(refunded.stock_returned, 0)
        ) AS units
    FROM unapplied_orders AS unapplied
    JOIN orders ON orders.id = unapplied.order_id
    JOIN order_items AS item ON item.order_id = unapplied.order_id
    LEFT JOIN (
        SELECT order_id, item_id, sum(stock_returned) AS stock_returned
        FROM refund_items
        WHERE refund_id IN (SELECT refund_id FROM unapplied_refunds)
        GROUP BY order_id, item_id
    ) AS refunded ON refunded.order_id = item.order_id AND refunded.item_id = item.id
    GROUP BY item.product_id
) AS moved ON moved.product_id = product.id
