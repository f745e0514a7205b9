-- Each refund of which the event is applied.
SELECT
    refund.id AS refund_id,
    refund.order_id,
    refund.amount,
    refund.refunded_total,
    (
        SELECT jsonb_agg(
            jsonb_build_object(
                'productId', item.product_id,
                'productName', item.product_name,
                'category', item.category,
                'quantity', part.quantity,
                'amount', trim_scale(part.amount),
                'stockReturned', part.stock_returned
            )
            ORDER BY item.id
        )
        FROM refund_items AS part
        JOIN order_items AS item ON item.order_id = part.order_id AND item.id = part.item_id
        WHERE part.refund_id = refund.id AND (part.quantity > 0 OR part.amount > 0)
    ) AS items,
    refund.status,
    refund.reason,
    refund.created_at
FROM refunds AS refund
WHERE NOT EXISTS (SELECT FROM unapplied_refunds WHERE refund_id = refund.id)
