-- The write side as far as the views have seen it: without the events that are
-- committed but not applied. What every expected.sql begins with; each takes from
-- it what it needs, and PostgreSQL leaves out the rest: what is large is NOT
-- MATERIALIZED, so that it is planned as part of the statement.
--
-- Events of one aggregate need not be applied in their order: an older one may be
-- parked, or on its way by another consumer. What stands in a view is then what the
-- newest applied one says.
--
-- $1 ids of the unseen events.
WITH unseen AS MATERIALIZED (
    SELECT
        id,
        topic,
        payload,
        payload ->> 'eventType' AS kind,
        (payload ->> 'aggregateVersion')::bigint AS version
    FROM outbox
    WHERE id = ANY ($1::uuid[])
),

-- Orders of which events are unseen. Each version of an order has one event. The
-- newest seen one lies below those unseen that are on top, without a gap.
unseen_steps AS MATERIALIZED (
    SELECT
        order_id,
        bool_or(kind = 'OrderCreated') AS placing,
        count(*) FILTER (WHERE on_top) AS steps_on_top,
        (array_agg(old_status ORDER BY version) FILTER (WHERE on_top))[1] AS status_before
    FROM (
        SELECT
            orders.id AS order_id,
            kind,
            unseen.version,
            payload ->> 'oldStatus' AS old_status,
            unseen.version = orders.version + 1
                - row_number() OVER (PARTITION BY orders.id ORDER BY unseen.version DESC)
                AS on_top
        FROM unseen
        JOIN orders ON orders.id = (payload ->> 'orderId')::bigint
        WHERE topic = 'order-events'
    ) AS step
    GROUP BY order_id
),

-- Orders of which an event was seen. Of one that was placed unseen a later change
-- may have been seen.
seen_orders AS NOT MATERIALIZED (
    SELECT
        orders.id,
        orders.customer_id,
        orders.total,
        orders.created_at,
        date_trunc('hour', orders.created_at, 'UTC') AS hour,
        coalesce(NOT unseen.placing, TRUE) AS placed,
        CASE WHEN unseen.steps_on_top > 0 THEN unseen.status_before ELSE orders.status END
            AS status,
        orders.version - coalesce(unseen.steps_on_top, 0) AS version
    FROM orders
    LEFT JOIN unseen_steps AS unseen ON unseen.order_id = orders.id
    WHERE orders.version > coalesce(unseen.steps_on_top, 0)
),

-- Those that count in sales: as placed, and as cancelled or refunded by status.
sales AS NOT MATERIALIZED (
    SELECT
        id AS order_id,
        customer_id,
        total,
        created_at,
        hour,
        placed,
        status = 'CANCELLED' AS cancelled,
        status = 'REFUNDED' AS refunded
    FROM seen_orders
    WHERE placed OR status IN ('CANCELLED', 'REFUNDED')
),

-- Their lines.
sold_lines AS NOT MATERIALIZED (
    SELECT
        sales.order_id,
        sales.hour,
        sales.placed,
        sales.cancelled,
        sales.refunded,
        item.product_id,
        item.category,
        item.quantity,
        item.quantity * item.price AS amount
    FROM sales
    JOIN order_items AS item ON item.order_id = sales.order_id
),

-- Products of which product events are unseen, and the pieces that these put in.
unseen_products AS MATERIALIZED (
    SELECT
        (payload ->> 'productId')::bigint AS product_id,
        sum((payload ->> 'stockDelta')::bigint) AS put_in
    FROM unseen
    WHERE topic = 'product-events'
    GROUP BY 1
),

-- The product events that were seen.
seen_product_events AS NOT MATERIALIZED (
    SELECT
        id,
        (payload ->> 'productId')::bigint AS product_id,
        (payload ->> 'aggregateVersion')::bigint AS version,
        payload
    FROM outbox
    WHERE topic = 'product-events'
        AND NOT EXISTS (SELECT FROM unseen WHERE unseen.id = outbox.id)
),

-- Users of whom events are unseen.
unseen_users AS MATERIALIZED (
    SELECT DISTINCT (payload ->> 'userId')::bigint AS user_id
    FROM unseen
    WHERE topic = 'user-events'
),

-- What was seen of these users. Nobody needs to look through the outbox if there
-- are none.
seen_user_events AS MATERIALIZED (
    SELECT
        payload ->> 'eventType' AS kind,
        (payload ->> 'userId')::bigint AS user_id,
        (payload ->> 'aggregateVersion')::bigint AS version,
        payload
    FROM outbox
    WHERE topic = 'user-events'
        AND EXISTS (SELECT FROM unseen_users)
        AND (payload ->> 'userId')::bigint IN (SELECT user_id FROM unseen_users)
        AND NOT EXISTS (SELECT FROM unseen WHERE unseen.id = outbox.id)
)
