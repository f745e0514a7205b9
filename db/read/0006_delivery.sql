-- What is kept of messages that are defective as AMQP messages.
SET LOCAL search_path = live, public;

ALTER TABLE dead_letters
-- The property section, byte by byte, if it cannot be read. body_sha256 is then over the
-- body and this.
ADD COLUMN properties BYTEA,
-- Length of the body as it was sent, in bytes, if only its beginning is kept.
ADD COLUMN body_bytes BIGINT;
