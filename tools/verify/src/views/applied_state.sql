-- The write side without the events that are committed but not applied to the views. Every
-- statement for expected rows begins with these common table expressions. PostgreSQL leaves
-- out those that a statement does not use. Large ones are NOT MATERIALIZED, so that they are
-- planned as part of the statement.
--
-- Events of one aggregate may be applied in any order: an older one may be a dead letter, or
-- in the hands of another consumer. A view then shows the state of the newest applied event.
--
-- $1 ids of the events that are not applied.
WITH unapplied AS MATERIALIZED (
    SELECT
        id,
        topic,
        payload,
        payload ->> 'eventType' AS event_type,
        (payload ->> 'aggregateVersion')::bigint AS version
    FROM outbox
    WHERE id = ANY ($1::uuid[])
),

-- Orders with unapplied events. Each version of an order has one event. `newest_unapplied` is
-- the number of its newest events that are unapplied without a gap; the event below them is
-- the newest applied one.
unapplied_orders AS MATERIALIZED (
    SELECT
        order_id,
        bool_or(event_type = 'OrderCreated') AS is_creation_unapplied,
        count(*) FILTER (WHERE is_newest) AS newest_unapplied
    FROM (
        SELECT
            orders.id AS order_id,
            event_type,
            unapplied.version,
            unapplied.version = orders.version + 1
                - row_number() OVER (PARTITION BY orders.id ORDER BY unapplied.version DESC)
                AS is_newest
        FROM unapplied
        JOIN orders ON orders.id = (payload ->> 'orderId')::bigint
        WHERE topic = 'order-events'
    ) AS event
    GROUP BY order_id
),

-- The applied events of orders that have unapplied ones. The outbox is not read if there are none.
applied_order_events AS MATERIALIZED (
    SELECT
        (payload ->> 'orderId')::bigint AS order_id,
        (payload ->> 'aggregateVersion')::bigint AS version,
        payload ->> 'eventType' AS event_type,
        coalesce(payload ->> 'newStatus', payload ->> 'status') AS status,
        payload ->> 'reason' AS reason
    FROM outbox
    WHERE topic = 'order-events'
        AND EXISTS (SELECT FROM unapplied_orders)
        AND (payload ->> 'orderId')::bigint IN (SELECT order_id FROM unapplied_orders)
        AND NOT EXISTS (SELECT FROM unapplied WHERE unapplied.id = outbox.id)
),

-- Orders with at least one applied event. A status change may be applied before the creation.
applied_orders AS NOT MATERIALIZED (
    SELECT
        orders.id,
        orders.customer_id,
        orders.total,
        orders.created_at,
        date_trunc('hour', orders.created_at, 'UTC') AS hour,
        coalesce(NOT unapplied.is_creation_unapplied, TRUE) AS placed,
        CASE WHEN unapplied.newest_unapplied > 0 THEN newest.status ELSE orders.status END
            AS status,
        CASE WHEN unapplied.newest_unapplied > 0 THEN newest.reason ELSE orders.reason END
            AS reason,
        orders.version - coalesce(unapplied.newest_unapplied, 0) AS version
    FROM orders
    LEFT JOIN unapplied_orders AS unapplied ON unapplied.order_id = orders.id
    LEFT JOIN applied_order_events AS newest
        ON newest.order_id = orders.id
            AND newest.version = orders.version - unapplied.newest_unapplied
    WHERE orders.version > coalesce(unapplied.newest_unapplied, 0)
),

-- Refunds of which the event is unapplied.
unapplied_refunds AS MATERIALIZED (
    SELECT (payload ->> 'refundId')::bigint AS refund_id
    FROM unapplied
    WHERE payload ? 'refundId'
),

-- What was refunded of orders, by refunds of which the event is applied and of which it is not.
order_refunds AS NOT MATERIALIZED (
    SELECT
        order_id,
        coalesce(sum(amount) FILTER (WHERE unapplied.refund_id IS NULL), 0) AS amount,
        coalesce(sum(amount) FILTER (WHERE unapplied.refund_id IS NOT NULL), 0) AS missing_amount,
        max(refunded_total) FILTER (WHERE unapplied.refund_id IS NULL) AS refunded_total
    FROM refunds
    LEFT JOIN unapplied_refunds AS unapplied ON unapplied.refund_id = refunds.id
    GROUP BY order_id
),

-- The same by line.
line_refunds AS NOT MATERIALIZED (
    SELECT
        order_id,
        item_id,
        coalesce(sum(quantity) FILTER (WHERE unapplied.refund_id IS NULL), 0) AS quantity,
        coalesce(sum(amount) FILTER (WHERE unapplied.refund_id IS NULL), 0) AS amount,
        coalesce(sum(stock_returned) FILTER (WHERE unapplied.refund_id IS NULL), 0)
            AS stock_returned,
        coalesce(sum(quantity) FILTER (WHERE unapplied.refund_id IS NOT NULL), 0)
            AS missing_quantity,
        coalesce(sum(amount) FILTER (WHERE unapplied.refund_id IS NOT NULL), 0) AS missing_amount
    FROM refund_items
    LEFT JOIN unapplied_refunds AS unapplied USING (refund_id)
    GROUP BY order_id, item_id
),

-- Orders that count in sales: as placed, and by status as cancelled or refunded. An order that is
-- refunded whole may have been so before refunds were stored.
sales AS NOT MATERIALIZED (
    SELECT
        id AS order_id,
        customer_id,
        total,
        created_at,
        hour,
        placed,
        status = 'CANCELLED' AS cancelled,
        status = 'REFUNDED' AS refunded,
        CASE
            WHEN status = 'REFUNDED' THEN total - coalesce(refund.missing_amount, 0)
            ELSE coalesce(refund.amount, 0)
        END AS refunded_amount
    FROM applied_orders
    LEFT JOIN order_refunds AS refund ON refund.order_id = id
    WHERE placed OR status IN ('CANCELLED', 'REFUNDED') OR refund.refunded_total IS NOT NULL
),

-- Their lines.
sold_lines AS NOT MATERIALIZED (
    SELECT
        sales.order_id,
        sales.customer_id,
        sales.created_at,
        sales.hour,
        sales.placed,
        sales.cancelled,
        sales.refunded,
        item.product_id,
        item.category,
        item.quantity,
        item.quantity * item.price AS amount,
        item.stock_taken,
        item.stock_returned,
        CASE
            WHEN refunded THEN item.quantity - coalesce(refund.missing_quantity, 0)
            ELSE coalesce(refund.quantity, 0)
        END AS refunded_quantity,
        CASE
            WHEN refunded THEN item.quantity * item.price - coalesce(refund.missing_amount, 0)
            ELSE coalesce(refund.amount, 0)
        END AS refunded_amount,
        coalesce(refund.stock_returned, 0) AS refund_returned
    FROM sales
    JOIN order_items AS item ON item.order_id = sales.order_id
    LEFT JOIN line_refunds AS refund
        ON refund.order_id = item.order_id AND refund.item_id = item.id
),

-- Products with unapplied product events, and the stock that these events add.
unapplied_products AS MATERIALIZED (
    SELECT
        (payload ->> 'productId')::bigint AS product_id,
        sum((payload ->> 'stockDelta')::bigint) AS stock_delta
    FROM unapplied
    WHERE topic = 'product-events'
    GROUP BY 1
),

applied_product_events AS NOT MATERIALIZED (
    SELECT
        id,
        (payload ->> 'productId')::bigint AS product_id,
        (payload ->> 'aggregateVersion')::bigint AS version,
        payload
    FROM outbox
    WHERE topic = 'product-events'
        AND NOT EXISTS (SELECT FROM unapplied WHERE unapplied.id = outbox.id)
),

-- Every category that a product has or had. Only the outbox has the former ones.
applied_categories AS NOT MATERIALIZED (
    SELECT DISTINCT payload ->> 'category' AS category_name
    FROM applied_product_events
),

-- Users with unapplied events.
unapplied_users AS MATERIALIZED (
    SELECT DISTINCT (payload ->> 'userId')::bigint AS user_id
    FROM unapplied
    WHERE topic = 'user-events'
),

-- The applied events of these users. The outbox is not read if there are none.
applied_user_events AS MATERIALIZED (
    SELECT
        payload ->> 'eventType' AS event_type,
        (payload ->> 'userId')::bigint AS user_id,
        (payload ->> 'aggregateVersion')::bigint AS version,
        payload
    FROM outbox
    WHERE topic = 'user-events'
        AND EXISTS (SELECT FROM unapplied_users)
        AND (payload ->> 'userId')::bigint IN (SELECT user_id FROM unapplied_users)
        AND NOT EXISTS (SELECT FROM unapplied WHERE unapplied.id = outbox.id)
),

-- Users whose creation or update is applied. An account alone does not create a customer.
applied_users AS NOT MATERIALIZED (
    SELECT id AS customer_id
    FROM users
    WHERE NOT EXISTS (SELECT FROM unapplied_users WHERE user_id = users.id)
    UNION ALL
    SELECT DISTINCT user_id
    FROM applied_user_events
    WHERE event_type IN ('UserCreated', 'UserUpdated')
)
