-- Sets the sequence of order ids and the publisher's counts. Lines have used their sequence. The
-- stock of products does not change on either side.
SELECT setval(pg_get_serial_sequence('orders', 'id'), orders) FROM pg_temp.filling;

UPDATE outbox_progress
SET published = published + orders
FROM pg_temp.filling
WHERE topic = 'order-events';
