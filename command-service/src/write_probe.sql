-- Writes to every table that commands write to, to check whether commands can be executed. The
-- caller rolls it back.
--
-- $1 an unused id; $2 an event id.
WITH product AS (
    INSERT INTO products (id, name, category, price, stock) VALUES ($1, 'probe', 'probe', 0, 0)
), customer AS (
    INSERT INTO customers (id, name) VALUES ($1, 'probe')
), customer_user AS (
    INSERT INTO users (id, name, email) VALUES ($1, 'probe', 'probe-' || $1)
), account AS (
    INSERT INTO accounts (id, user_id, address1, city, state, zip)
    VALUES ($1, $1, 'probe', 'probe', 'probe', 'probe')
), placed AS (
    INSERT INTO orders (id, customer_id, total, status) VALUES ($1, $1, 0, 'CREATED')
), line AS (
    INSERT INTO order_items
        (id, order_id, product_id, product_name, category, quantity, price, stock_taken)
    VALUES ($1, $1, $1, 'probe', 'probe', 1, 0, 0)
), stored_response AS (
    INSERT INTO idempotency_keys (scope, caller, key, body_sha256, status, event_id, body)
    VALUES ('probe', '', 'probe-' || $1, '', 200, $2, '')
), changed AS (
    -- Checks the right to update. The statement does not see its own new rows, so no row matches.
    UPDATE products SET stock = 0, version = version + 1 WHERE id = $1
), moved AS (
    UPDATE orders SET status = 'PAID', version = version + 1 WHERE id = $1
), renamed AS (
    UPDATE users SET name = 'probe', version = version + 1 WHERE id = $1
)
-- 64 KB that do not compress well, so that files must grow.
INSERT INTO outbox (id, topic, payload)
SELECT
    $2,
    'product-events',
    jsonb_build_object('eventType', 'Probe', 'filler', string_agg(md5(random()::text), ''))
FROM generate_series(1, 2048)
