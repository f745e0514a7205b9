-- Orders, products and users: whether an external event named them first, which event created
-- them, and whether a view contains them.
--
-- $1 topics; $2 ids.
SELECT
    requested.topic AS "topic!",
    requested.id AS "id!",
    marker.aggregate_id IS NOT NULL AS "is_external!",
    marker.created_by,
    CASE requested.topic
        WHEN 'product-events'
            THEN EXISTS (SELECT FROM products_read WHERE product_id = ANY (ARRAY[requested.id]))
        WHEN 'order-events'
            THEN EXISTS (SELECT FROM orders_read WHERE order_id = ANY (ARRAY[requested.id]))
        ELSE EXISTS (SELECT FROM users_read WHERE user_id = ANY (ARRAY[requested.id]))
    END AS "is_in_view!"
FROM unnest($1::text[], $2::bigint[]) AS requested (topic, id)
LEFT JOIN external_aggregates AS marker
    ON marker.topic = requested.topic AND marker.aggregate_id = ANY (ARRAY[requested.id])
