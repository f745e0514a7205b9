-- The read side: views that the consumer service builds from events.
--
-- Every view is a plain table, save products_read_view. Each figure is a sum of what
-- events say, or a value guarded by the aggregate's version or by GREATEST, so events
-- may arrive in any order and more than once. Sums can pass below zero on the way, so
-- they have no CHECK.
--
-- A total is what was placed, less what was cancelled, less what was refunded. The
-- consumer adds to it in the statement that adds to the other two. Gross is the sum of
-- the three.
--
-- Rows of sums are rewritten all the time. Room on the page (fillfactor) and no index on
-- what changes let PostgreSQL rewrite them in place (heap-only tuples).

-- Sales by product.
CREATE TABLE product_sales_view (
    product_id          BIGINT PRIMARY KEY,
    total_quantity_sold BIGINT NOT NULL DEFAULT 0,
    total_revenue       NUMERIC(24, 4) NOT NULL DEFAULT 0,
    -- Orders that name the product, however many of their lines do.
    order_count         BIGINT NOT NULL DEFAULT 0,
    cancelled_quantity  BIGINT NOT NULL DEFAULT 0,
    cancelled_orders    BIGINT NOT NULL DEFAULT 0,
    refunded_quantity   BIGINT NOT NULL DEFAULT 0,
    refunded_orders     BIGINT NOT NULL DEFAULT 0,
    cancelled_revenue   NUMERIC(24, 4) NOT NULL DEFAULT 0,
    refunded_revenue    NUMERIC(24, 4) NOT NULL DEFAULT 0,
    -- Pieces that orders took from the stock, less those put back; and when the last of
    -- these orders was placed or cancelled. An order so writes one row per product.
    stock_taken         BIGINT NOT NULL DEFAULT 0,
    stock_moved_at      TIMESTAMPTZ
) WITH (fillfactor = 70);

-- Sales by category, as ordered. A row for every category that a product ever had.
CREATE TABLE category_metrics_view (
    category_name     TEXT PRIMARY KEY,
    total_revenue     NUMERIC(24, 4) NOT NULL DEFAULT 0,
    -- Orders with a line of the category.
    total_orders      BIGINT NOT NULL DEFAULT 0,
    cancelled_orders  BIGINT NOT NULL DEFAULT 0,
    refunded_orders   BIGINT NOT NULL DEFAULT 0,
    cancelled_revenue NUMERIC(24, 4) NOT NULL DEFAULT 0,
    refunded_revenue  NUMERIC(24, 4) NOT NULL DEFAULT 0
) WITH (fillfactor = 70);

-- For the case-insensitive look-up.
CREATE INDEX category_metrics_view_lower ON category_metrics_view (lower(category_name));

-- Sales by customer. A user has a row before any order.
CREATE TABLE customer_ltv_view (
    customer_id      BIGINT PRIMARY KEY,
    total_spent      NUMERIC(24, 4) NOT NULL DEFAULT 0,
    order_count      BIGINT NOT NULL DEFAULT 0,
    -- The last order placed, cancelled or not.
    last_order_date  TIMESTAMPTZ,
    cancelled_orders BIGINT NOT NULL DEFAULT 0,
    refunded_orders  BIGINT NOT NULL DEFAULT 0,
    cancelled_spent  NUMERIC(24, 4) NOT NULL DEFAULT 0,
    refunded_spent   NUMERIC(24, 4) NOT NULL DEFAULT 0
) WITH (fillfactor = 70);

-- Sales by hour, in UTC. Sales belong to the hour of the order.
CREATE TABLE hourly_sales_view (
    hour_timestamp    TIMESTAMPTZ PRIMARY KEY,
    total_orders      BIGINT NOT NULL DEFAULT 0,
    total_revenue     NUMERIC(24, 4) NOT NULL DEFAULT 0,
    cancelled_orders  BIGINT NOT NULL DEFAULT 0,
    refunded_orders   BIGINT NOT NULL DEFAULT 0,
    cancelled_revenue NUMERIC(24, 4) NOT NULL DEFAULT 0,
    refunded_revenue  NUMERIC(24, 4) NOT NULL DEFAULT 0
) WITH (fillfactor = 70);

-- Sales by hour and product.
CREATE TABLE hourly_product_sales_view (
    hour_timestamp     TIMESTAMPTZ NOT NULL,
    product_id         BIGINT NOT NULL,
    total_quantity     BIGINT NOT NULL DEFAULT 0,
    total_revenue      NUMERIC(24, 4) NOT NULL DEFAULT 0,
    total_orders       BIGINT NOT NULL DEFAULT 0,
    cancelled_quantity BIGINT NOT NULL DEFAULT 0,
    cancelled_orders   BIGINT NOT NULL DEFAULT 0,
    refunded_quantity  BIGINT NOT NULL DEFAULT 0,
    refunded_orders    BIGINT NOT NULL DEFAULT 0,
    cancelled_revenue  NUMERIC(24, 4) NOT NULL DEFAULT 0,
    refunded_revenue   NUMERIC(24, 4) NOT NULL DEFAULT 0,
    PRIMARY KEY (hour_timestamp, product_id)
) WITH (fillfactor = 70);

-- The hours of one product.
CREATE INDEX hourly_product_sales_view_product
    ON hourly_product_sales_view (product_id, hour_timestamp);

-- Products, as the events about them say. A product that only orders have named has no
-- row here.
CREATE TABLE products_read (
    product_id    BIGINT PRIMARY KEY,
    -- State of the newest event, by the aggregate's version. The event id settles a tie,
    -- which only external events can cause.
    name          TEXT NOT NULL,
    category      TEXT NOT NULL,
    price         NUMERIC(16, 4) NOT NULL,
    stock_tracked BOOLEAN NOT NULL DEFAULT FALSE,
    state_version BIGINT NOT NULL DEFAULT 0,
    state_event   UUID NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    -- Sum of the stock deltas of all events.
    stock_put_in  BIGINT NOT NULL DEFAULT 0,
    updated_at    TIMESTAMPTZ NOT NULL
) WITH (fillfactor = 70);

-- Lists are ordered by id, within what they are filtered by.
CREATE INDEX products_read_category ON products_read (lower(category), product_id);

-- The catalogue, with the stock left.
CREATE VIEW products_read_view AS
SELECT
    product_id,
    product.name,
    product.category,
    product.price,
    -- Null: not tracked.
    CASE WHEN product.stock_tracked THEN product.stock_put_in - coalesce(sales.stock_taken, 0) END
        AS stock,
    greatest(product.updated_at, sales.stock_moved_at) AS updated_at
FROM products_read AS product
LEFT JOIN product_sales_view AS sales USING (product_id);

CREATE TABLE orders_read (
    order_id      BIGINT PRIMARY KEY,
    customer_id   BIGINT NOT NULL,
    total         NUMERIC(24, 4) NOT NULL,
    status        TEXT NOT NULL,
    -- The lines as the event has them.
    items         JSONB NOT NULL,
    -- State of the newest event about the order, as for products.
    state_version BIGINT NOT NULL,
    state_event   UUID NOT NULL,
    created_at    TIMESTAMPTZ NOT NULL,
    updated_at    TIMESTAMPTZ NOT NULL,
    -- Ids and times mostly, but not always, rise together: orders of a period are found
    -- day by day, and by id within a day.
    created_on    DATE NOT NULL
                  GENERATED ALWAYS AS ((created_at AT TIME ZONE 'UTC')::date) STORED
);

CREATE INDEX orders_read_status ON orders_read (status, order_id);
CREATE INDEX orders_read_created_on ON orders_read (created_on, order_id);

-- The orders of a customer by id; an invoice looks for its month among these entries.
CREATE INDEX orders_read_of_customer ON orders_read (customer_id, order_id, created_at);

CREATE TABLE users_read (
    user_id         BIGINT PRIMARY KEY,
    -- State of the newest event about the user, as for products. Null while only
    -- accounts of the user have arrived.
    name            TEXT,
    email           TEXT,
    state_version   BIGINT NOT NULL DEFAULT 0,
    state_event     UUID NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    -- The newest account, by the same rule; null before any.
    account_id      BIGINT,
    address1        TEXT,
    city            TEXT,
    state           TEXT,
    zip             TEXT,
    account_version BIGINT NOT NULL DEFAULT 0,
    account_event   UUID NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    -- Times of the first and the last event about the user.
    created_at      TIMESTAMPTZ NOT NULL,
    updated_at      TIMESTAMPTZ NOT NULL
);

CREATE INDEX users_read_email ON users_read (lower(email), user_id);
CREATE INDEX users_read_created_at ON users_read (created_at);

-- Every event that was applied, once.
CREATE TABLE processed_events (
    event_id     UUID PRIMARY KEY,
    processed_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    -- Whether the copy from our own outbox has arrived, which is what watermarks count.
    -- A copy that an external publisher sent is not counted.
    counted      BOOLEAN NOT NULL DEFAULT FALSE,
    -- SHA-256 of what an external event says; null of our own events. An external event
    -- of the same id with another content is a dead letter.
    digest       BYTEA
)
-- Old rows are removed in small batches. Vacuum makes their room usable soon, rather
-- than when a fifth of the table is gone.
WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 10000);

-- Orders, products and users that an external event named first. created_by is the event
-- that created the aggregate, null until that arrives. Every other aggregate of the views
-- is the shop's own, and no external event creates it again.
CREATE TABLE external_aggregates (
    topic        TEXT NOT NULL,
    aggregate_id BIGINT NOT NULL,
    created_by   UUID,
    PRIMARY KEY (topic, aggregate_id)
);

-- Since when all events are in processed_events; null: always. An older event that is
-- not there may have been applied or not, so it becomes a dead letter. The time only
-- ever rises, under the exclusive form of the lock that every transaction that applies
-- events shares, and before anything is removed.
CREATE TABLE dedupe_memory (
    id              INTEGER PRIMARY KEY CHECK (id = 1),
    since           TIMESTAMPTZ,
    -- The lowest UUIDv7 of that time.
    lowest_event_id UUID,
    CHECK ((since IS NULL) = (lowest_event_id IS NULL))
);

INSERT INTO dedupe_memory (id) VALUES (1);

-- Events that could not be applied, with their bytes and all that is needed to read
-- them again exactly as they arrived.
CREATE TABLE dead_letters (
    id          BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    event_id    UUID,
    -- SHA-256 of the body, and of `properties` if that is set.
    body_sha256 BYTEA NOT NULL,
    -- Each letter is kept once: by its event id, else by its bytes.
    identity    BYTEA NOT NULL UNIQUE
                GENERATED ALWAYS AS (coalesce(uuid_send(event_id), body_sha256)) STORED,
    queue       TEXT NOT NULL,
    reason      TEXT NOT NULL,
    body        BYTEA NOT NULL,
    -- AMQP properties of the message: id, time, type, application, content encoding.
    message_id  TEXT,
    sent_at     TIMESTAMPTZ,
    kind        TEXT,
    app_id      TEXT,
    content_encoding TEXT,
    -- The AMQP property section, byte by byte, if it cannot be read.
    properties  BYTEA,
    -- Length of the body as it was sent, in bytes, if `body` is only its beginning.
    body_bytes  BIGINT,
    -- Whether it is the copy from our own outbox.
    ours        BOOLEAN NOT NULL DEFAULT FALSE,
    -- As in processed_events. Most letters of ours are counted; one that is older than
    -- dedupe_memory is not, as it may have been counted when it was applied.
    counted     BOOLEAN NOT NULL,
    -- Whether it is older than dedupe_memory: only then it may have been applied before.
    forgotten   BOOLEAN NOT NULL DEFAULT FALSE,
    parked_at   TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- An event that arrives again is looked for here.
CREATE INDEX dead_letters_event_id ON dead_letters (event_id);

-- Every sync status asks whether an event of our own outbox is a dead letter.
CREATE INDEX dead_letters_ours ON dead_letters (id) WHERE ours;

CREATE TABLE sync_status (
    id                             INTEGER PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    -- Of the newest event applied; it never goes back.
    last_processed_event_timestamp TIMESTAMPTZ,
    events_applied                 BIGINT NOT NULL DEFAULT 0,
    updated_at                     TIMESTAMPTZ
) WITH (fillfactor = 50);

INSERT INTO sync_status (id) VALUES (1);

-- Distinct events of our outbox that have arrived, per topic.
CREATE TABLE topic_progress (
    topic TEXT PRIMARY KEY,
    seen  BIGINT NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

INSERT INTO topic_progress (topic)
VALUES ('order-events'), ('product-events'), ('user-events');

-- Watermarks received: at taken_at, so many events of the topic had been committed on
-- the write side. Those that are reached are removed, except the newest of each topic.
CREATE TABLE watermarks (
    topic     TEXT NOT NULL,
    taken_at  TIMESTAMPTZ NOT NULL,
    committed BIGINT NOT NULL,
    PRIMARY KEY (topic, taken_at)
);

-- These stand for the empty outbox: a pipe that never delivers anything shows as lag.
INSERT INTO watermarks (topic, taken_at, committed)
VALUES ('order-events', now(), 0), ('product-events', now(), 0), ('user-events', now(), 0);

-- Which views are built from the events of which topics, as the consumer service that
-- started last has registered it. `place` is the view's place in the list.
CREATE TABLE projections (
    place INTEGER NOT NULL,
    view  TEXT NOT NULL,
    topic TEXT NOT NULL,
    PRIMARY KEY (view, topic)
);
