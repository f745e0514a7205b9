-- The catalogue, with the stock left. The columns of products hold for those whose
-- events were all seen; of the others the newest event that was seen tells.
SELECT
    product.id AS product_id,
    state.name,
    state.category,
    state.price::numeric(16, 4) AS price,
    CASE
        WHEN state.stock_tracked
            -- Untracked counts as zero.
            THEN coalesce(product.stock, 0) - coalesce(unseen.put_in, 0) + coalesce(moved.pieces, 0)
    END::bigint AS stock
FROM (
    SELECT id, name, category, price, stock IS NOT NULL AS stock_tracked
    FROM products
    WHERE NOT EXISTS (SELECT FROM unseen_products WHERE product_id = products.id)
    UNION ALL
    (
        SELECT DISTINCT ON (product_id)
            product_id,
            payload ->> 'name',
            payload ->> 'category',
            (payload ->> 'price')::numeric,
            payload ->> 'stock' IS NOT NULL
        FROM seen_product_events
        -- Nobody needs to look through the outbox if there are none.
        WHERE EXISTS (SELECT FROM unseen_products)
            AND product_id IN (SELECT product_id FROM unseen_products)
        ORDER BY product_id, version DESC, id DESC
    )
) AS state
JOIN products AS product ON product.id = state.id
LEFT JOIN unseen_products AS unseen ON unseen.product_id = product.id
-- What unseen orders took, less what unseen cancellations put back.
LEFT JOIN (
    SELECT
        item.product_id,
        sum(
            CASE WHEN step.placing THEN item.stock_taken ELSE 0 END
            - CASE
                WHEN orders.status = 'CANCELLED' AND step.steps_on_top > 0
                    THEN item.stock_returned
                ELSE 0
            END
        ) AS pieces
    FROM unseen_steps AS step
    JOIN orders ON orders.id = step.order_id
    JOIN order_items AS item ON item.order_id = step.order_id
    GROUP BY item.product_id
) AS moved ON moved.product_id = product.id
