-- Refunds of orders, and reasons of changes.

ALTER TABLE orders_read
    -- Null until an event with the lines arrives: a refund names only those that it refunds.
    -- Queries leave such orders out.
    ALTER COLUMN items DROP NOT NULL,
    ALTER COLUMN total DROP NOT NULL,
    ADD CHECK ((items IS NULL) = (total IS NULL)),
    -- Sum of the refunds.
    ADD COLUMN refunded_total NUMERIC(24, 4) NOT NULL DEFAULT 0,
    -- Why the order last changed, if a reason was given: that of the newest event.
    ADD COLUMN reason TEXT;

UPDATE orders_read SET refunded_total = total WHERE status = 'REFUNDED';

-- The refunds of orders. Refunds of whole orders from before this migration have no row.
CREATE TABLE refunds_read (
    refund_id      BIGINT NOT NULL,
    order_id       BIGINT NOT NULL,
    -- Sum of the items.
    amount         NUMERIC(24, 4) NOT NULL,
    -- Sum of all refunds of the order, with this one.
    refunded_total NUMERIC(24, 4) NOT NULL,
    -- What was refunded of the lines, as the event has it.
    items          JSONB NOT NULL,
    -- Status of the order after the refund.
    status         TEXT NOT NULL,
    reason         TEXT,
    -- Time of the refund.
    created_at     TIMESTAMPTZ NOT NULL,
    event_id       UUID NOT NULL,
    -- An external event can name the id of another refund. Both are shown.
    PRIMARY KEY (refund_id, event_id)
);

CREATE INDEX refunds_read_order_id ON refunds_read (order_id, refund_id);
