-- What is known of orders, products and users: whether an external event told of them
-- first, which one created them, and whether a view has them.
--
-- $1 topics; $2 ids.
SELECT
    asked.topic AS "topic!",
    asked.id AS "id!",
    marker.aggregate_id IS NOT NULL AS "is_external!",
    marker.created_by,
    CASE asked.topic
        WHEN 'product-events'
            THEN EXISTS (SELECT FROM products_read WHERE product_id = ANY (ARRAY[asked.id]))
        WHEN 'order-events'
            THEN EXISTS (SELECT FROM orders_read WHERE order_id = ANY (ARRAY[asked.id]))
        ELSE EXISTS (SELECT FROM users_read WHERE user_id = ANY (ARRAY[asked.id]))
    END AS "is_in_view!"
FROM unnest($1::text[], $2::bigint[]) AS asked (topic, id)
LEFT JOIN external_aggregates AS marker
    ON marker.topic = asked.topic AND marker.aggregate_id = ANY (ARRAY[asked.id])
