-- What each customer spent. A user is there, with zeros, before any order.
SELECT
    customer_id,
    cancelled_spent,
    refunded_spent,
    (placed_spent - cancelled_spent - refunded_spent)::numeric(24, 4) AS total_spent,
    cancelled_orders,
    refunded_orders,
    placed_orders - cancelled_orders - refunded_orders AS order_count,
    last_order_date
FROM (
    SELECT
        customer_id,
        coalesce(sum(total) FILTER (WHERE placed), 0)::numeric(24, 4) AS placed_spent,
        coalesce(sum(total) FILTER (WHERE cancelled), 0)::numeric(24, 4) AS cancelled_spent,
        coalesce(sum(total) FILTER (WHERE refunded), 0)::numeric(24, 4) AS refunded_spent,
        count(*) FILTER (WHERE placed) AS placed_orders,
        count(*) FILTER (WHERE cancelled) AS cancelled_orders,
        count(*) FILTER (WHERE refunded) AS refunded_orders,
        -- The last order placed, cancelled or not.
        max(created_at) FILTER (WHERE placed) AS last_order_date
    FROM (
        SELECT customer_id, total, placed, cancelled, refunded, created_at
        FROM sales
        UNION ALL
        SELECT id, 0, FALSE, FALSE, FALSE, NULL
        FROM users
        WHERE NOT EXISTS (SELECT FROM unseen_users WHERE user_id = users.id)
        UNION ALL
        -- An account alone makes no customer.
        SELECT user_id, 0, FALSE, FALSE, FALSE, NULL
        FROM seen_user_events
        WHERE kind IN ('UserCreated', 'UserUpdated')
    ) AS sale
    GROUP BY customer_id
) AS customer
