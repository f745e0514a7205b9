-- The columns of a view in their order.
--
-- $1 name of the view.
SELECT attname::text AS name, format_type(atttypid, atttypmod) AS data_type
FROM pg_attribute
WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped
ORDER BY attnum
