-- Each version of an order has one event, the first is OrderCreated, and each event has its
-- order.
SELECT
    'order ' || coalesce(orders.id, event.order_id) AS subject,
    rule.what,
    rule.expected::text AS expected,
    rule.found::text AS found
FROM orders
FULL JOIN (
    SELECT
        (payload ->> 'orderId')::bigint AS order_id,
        count(*) AS events,
        count(*) FILTER (WHERE payload ->> 'eventType' = 'OrderCreated') AS placings
    FROM outbox
    WHERE topic = 'order-events'
    GROUP BY 1
) AS event ON event.order_id = orders.id
CROSS JOIN LATERAL (
    VALUES
        ('events in the outbox', coalesce(orders.version, 0), coalesce(event.events, 0)),
        (
            'OrderCreated in the outbox',
            CASE WHEN orders.id IS NULL THEN 0 ELSE 1 END,
            coalesce(event.placings, 0)
        )
) AS rule (what, expected, found)
WHERE rule.expected <> rule.found
ORDER BY coalesce(orders.id, event.order_id), rule.what
