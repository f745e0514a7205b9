-- The read side: views that the consumer service builds from events.
--
-- Every figure is a sum of what events say, or a value guarded by the
-- aggregate's version or by GREATEST, so that events may come in any order and
-- more than once. On the way sums can pass below zero, hence no CHECK on them.
-- What clients read (total_…) is generated from gross, cancelled and refunded.

CREATE SCHEMA live;

-- Plain names work in every later session, psql included.
DO $$
BEGIN
    EXECUTE format('ALTER DATABASE %I SET search_path = live, public', current_database());
END
$$;
SET LOCAL search_path = live, public;

-- Rows of counters are rewritten all the time. Room on the page, and no index
-- on what changes, let PostgreSQL do so in place (heap-only tuples).

CREATE TABLE product_sales_view (
    product_id          BIGINT PRIMARY KEY,
    gross_quantity      BIGINT NOT NULL DEFAULT 0,
    cancelled_quantity  BIGINT NOT NULL DEFAULT 0,
    refunded_quantity   BIGINT NOT NULL DEFAULT 0,
    gross_revenue       NUMERIC(24, 4) NOT NULL DEFAULT 0,
    cancelled_revenue   NUMERIC(24, 4) NOT NULL DEFAULT 0,
    refunded_revenue    NUMERIC(24, 4) NOT NULL DEFAULT 0,
    -- Orders that name the product, however many of their lines do.
    gross_orders        BIGINT NOT NULL DEFAULT 0,
    cancelled_orders    BIGINT NOT NULL DEFAULT 0,
    refunded_orders     BIGINT NOT NULL DEFAULT 0,
    total_quantity_sold BIGINT NOT NULL GENERATED ALWAYS AS
                        (gross_quantity - cancelled_quantity - refunded_quantity) STORED,
    total_revenue       NUMERIC(24, 4) NOT NULL GENERATED ALWAYS AS
                        (gross_revenue - cancelled_revenue - refunded_revenue) STORED,
    order_count         BIGINT NOT NULL GENERATED ALWAYS AS
                        (gross_orders - cancelled_orders - refunded_orders) STORED
) WITH (fillfactor = 70);

CREATE TABLE category_metrics_view (
    -- Every category that a product ever had, and as ordered.
    category_name     TEXT PRIMARY KEY,
    gross_revenue     NUMERIC(24, 4) NOT NULL DEFAULT 0,
    cancelled_revenue NUMERIC(24, 4) NOT NULL DEFAULT 0,
    refunded_revenue  NUMERIC(24, 4) NOT NULL DEFAULT 0,
    -- Orders with a line of the category.
    gross_orders      BIGINT NOT NULL DEFAULT 0,
    cancelled_orders  BIGINT NOT NULL DEFAULT 0,
    refunded_orders   BIGINT NOT NULL DEFAULT 0,
    total_revenue     NUMERIC(24, 4) NOT NULL GENERATED ALWAYS AS
                      (gross_revenue - cancelled_revenue - refunded_revenue) STORED,
    total_orders      BIGINT NOT NULL GENERATED ALWAYS AS
                      (gross_orders - cancelled_orders - refunded_orders) STORED
) WITH (fillfactor = 70);

-- For the look-up without regard to case.
CREATE INDEX category_metrics_view_lower ON category_metrics_view (lower(category_name));

CREATE TABLE customer_ltv_view (
    customer_id      BIGINT PRIMARY KEY,
    gross_spent      NUMERIC(24, 4) NOT NULL DEFAULT 0,
    cancelled_spent  NUMERIC(24, 4) NOT NULL DEFAULT 0,
    refunded_spent   NUMERIC(24, 4) NOT NULL DEFAULT 0,
    gross_orders     BIGINT NOT NULL DEFAULT 0,
    cancelled_orders BIGINT NOT NULL DEFAULT 0,
    refunded_orders  BIGINT NOT NULL DEFAULT 0,
    -- The last order placed, cancelled or not.
    last_order_date  TIMESTAMPTZ,
    total_spent      NUMERIC(24, 4) NOT NULL GENERATED ALWAYS AS
                     (gross_spent - cancelled_spent - refunded_spent) STORED,
    order_count      BIGINT NOT NULL GENERATED ALWAYS AS
                     (gross_orders - cancelled_orders - refunded_orders) STORED
) WITH (fillfactor = 70);

-- Sales belong to the hour of the order, in UTC.
CREATE TABLE hourly_sales_view (
    hour_timestamp    TIMESTAMPTZ PRIMARY KEY,
    gross_revenue     NUMERIC(24, 4) NOT NULL DEFAULT 0,
    cancelled_revenue NUMERIC(24, 4) NOT NULL DEFAULT 0,
    refunded_revenue  NUMERIC(24, 4) NOT NULL DEFAULT 0,
    gross_orders      BIGINT NOT NULL DEFAULT 0,
    cancelled_orders  BIGINT NOT NULL DEFAULT 0,
    refunded_orders   BIGINT NOT NULL DEFAULT 0,
    total_orders      BIGINT NOT NULL GENERATED ALWAYS AS
                      (gross_orders - cancelled_orders - refunded_orders) STORED,
    total_revenue     NUMERIC(24, 4) NOT NULL GENERATED ALWAYS AS
                      (gross_revenue - cancelled_revenue - refunded_revenue) STORED
) WITH (fillfactor = 70);

CREATE TABLE hourly_product_sales_view (
    hour_timestamp     TIMESTAMPTZ NOT NULL,
    product_id         BIGINT NOT NULL,
    gross_quantity     BIGINT NOT NULL DEFAULT 0,
    cancelled_quantity BIGINT NOT NULL DEFAULT 0,
    refunded_quantity  BIGINT NOT NULL DEFAULT 0,
    gross_revenue      NUMERIC(24, 4) NOT NULL DEFAULT 0,
    cancelled_revenue  NUMERIC(24, 4) NOT NULL DEFAULT 0,
    refunded_revenue   NUMERIC(24, 4) NOT NULL DEFAULT 0,
    gross_orders       BIGINT NOT NULL DEFAULT 0,
    cancelled_orders   BIGINT NOT NULL DEFAULT 0,
    refunded_orders    BIGINT NOT NULL DEFAULT 0,
    total_quantity     BIGINT NOT NULL GENERATED ALWAYS AS
                       (gross_quantity - cancelled_quantity - refunded_quantity) STORED,
    total_revenue      NUMERIC(24, 4) NOT NULL GENERATED ALWAYS AS
                       (gross_revenue - cancelled_revenue - refunded_revenue) STORED,
    total_orders       BIGINT NOT NULL GENERATED ALWAYS AS
                       (gross_orders - cancelled_orders - refunded_orders) STORED,
    PRIMARY KEY (hour_timestamp, product_id)
) WITH (fillfactor = 70);

-- The windows of one product.
CREATE INDEX hourly_product_sales_view_product
    ON hourly_product_sales_view (product_id, hour_timestamp);

CREATE TABLE products_read_view (
    product_id    BIGINT PRIMARY KEY,
    -- State of the newest event about the product, by its aggregate version;
    -- the event id settles a tie, which only strangers' events can bring about.
    -- Null while only orders of the product have been heard of.
    name          TEXT,
    category      TEXT,
    price         NUMERIC(16, 4),
    state_version BIGINT NOT NULL DEFAULT 0,
    state_event   UUID NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    stock_tracked BOOLEAN NOT NULL DEFAULT FALSE,
    -- Sum of the deltas of product events, less ordered, plus returned.
    stock_sum     BIGINT NOT NULL DEFAULT 0,
    stock         BIGINT GENERATED ALWAYS AS
                  (CASE WHEN stock_tracked THEN stock_sum END) STORED,
    updated_at    TIMESTAMPTZ NOT NULL
) WITH (fillfactor = 70);

CREATE TABLE orders_read (
    order_id      BIGINT PRIMARY KEY,
    customer_id   BIGINT NOT NULL,
    total         NUMERIC(24, 4) NOT NULL,
    status        TEXT NOT NULL,
    -- The lines as the event has them, to be handed on as they are.
    items         JSONB NOT NULL,
    -- State of the newest event about the order, as for products.
    state_version BIGINT NOT NULL,
    state_event   UUID NOT NULL,
    created_at    TIMESTAMPTZ NOT NULL,
    updated_at    TIMESTAMPTZ NOT NULL
);

-- Every event that was dealt with, once.
CREATE TABLE processed_events (
    event_id     UUID PRIMARY KEY,
    processed_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    -- Whether the copy from our own outbox was seen, which is what watermarks
    -- count. A copy that somebody sent straight to the queue is not it.
    counted      BOOLEAN NOT NULL
);

-- Events that could not be applied, with their bytes.
CREATE TABLE dead_letters (
    id          BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    event_id    UUID,
    -- SHA-256 of the bytes.
    body_sha256 BYTEA NOT NULL,
    -- Each letter is kept once: by its event id, else by its bytes.
    identity    BYTEA NOT NULL UNIQUE
                GENERATED ALWAYS AS (coalesce(uuid_send(event_id), body_sha256)) STORED,
    queue       TEXT NOT NULL,
    reason      TEXT NOT NULL,
    body        BYTEA NOT NULL,
    -- As in processed_events.
    counted     BOOLEAN NOT NULL,
    parked_at   TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- An event that comes again is looked for here.
CREATE INDEX dead_letters_event_id ON dead_letters (event_id);

CREATE TABLE sync_status (
    id                             INTEGER PRIMARY KEY CHECK (id = 1),
    -- Of the newest event applied; it never goes back.
    last_processed_event_timestamp TIMESTAMPTZ,
    events_applied                 BIGINT NOT NULL DEFAULT 0,
    updated_at                     TIMESTAMPTZ
) WITH (fillfactor = 50);

INSERT INTO sync_status (id) VALUES (1);

-- Distinct events of our outbox seen so far, of each topic that is consumed.
CREATE TABLE topic_progress (
    topic TEXT PRIMARY KEY,
    seen  BIGINT NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

INSERT INTO topic_progress (topic) VALUES ('order-events'), ('product-events');

-- Watermarks received: at that time, so many events of the topic had been
-- committed on the write side. Those that have been reached are removed, save
-- the newest of each topic. The first row stands for the empty outbox, so that
-- a pipe that never delivers anything shows as lag, too.
CREATE TABLE watermarks (
    topic     TEXT NOT NULL,
    taken_at  TIMESTAMPTZ NOT NULL,
    committed BIGINT NOT NULL,
    PRIMARY KEY (topic, taken_at)
);

INSERT INTO watermarks (topic, taken_at, committed)
VALUES ('order-events', now(), 0), ('product-events', now(), 0);
