-- The ids of orders go on where these end, and the publisher's count knows them;
-- lines have drawn theirs. Products' stock stays as it is on both sides.
SELECT setval(pg_get_serial_sequence('orders', 'id'), orders) FROM pg_temp.filling;

UPDATE outbox_progress
SET published = published + orders
FROM pg_temp.filling
WHERE topic = 'order-events';
