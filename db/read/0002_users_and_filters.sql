-- Users, and what lists are filtered by.
SET LOCAL search_path = live, public;

CREATE TABLE users_read (
    user_id         BIGINT PRIMARY KEY,
    -- State of the newest event about the user, as for products. Null while only
    -- accounts of the user have been heard of.
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
    -- Of the first and the last event about the user.
    created_at      TIMESTAMPTZ NOT NULL,
    updated_at      TIMESTAMPTZ NOT NULL
);

-- Lists are by id, within what they are filtered by.
CREATE INDEX users_read_email ON users_read (lower(email), user_id);
CREATE INDEX users_read_created_at ON users_read (created_at);
CREATE INDEX products_read_view_category ON products_read_view (lower(category), product_id);
CREATE INDEX orders_read_customer ON orders_read (customer_id, order_id);
CREATE INDEX orders_read_status ON orders_read (status, order_id);

-- Orders of a time, by id: day by day, as ids and times mostly, but not always,
-- rise together.
ALTER TABLE orders_read
ADD COLUMN created_on DATE NOT NULL
GENERATED ALWAYS AS ((created_at AT TIME ZONE 'UTC')::date) STORED;
CREATE INDEX orders_read_created_on ON orders_read (created_on, order_id);

-- A customer's invoice of a month.
CREATE INDEX orders_read_customer_month ON orders_read (customer_id, created_at);

-- What the consumer service has registered at its start: which views are kept
-- from the events of which topics. `place` is where a view stands in the list.
CREATE TABLE projections (
    place INTEGER NOT NULL,
    view  TEXT NOT NULL,
    topic TEXT NOT NULL,
    PRIMARY KEY (view, topic)
);

-- Users' events are consumed from now on.
INSERT INTO topic_progress (topic) VALUES ('user-events');
INSERT INTO watermarks (topic, taken_at, committed) VALUES ('user-events', now(), 0);
