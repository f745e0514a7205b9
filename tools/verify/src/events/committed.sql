-- Every event that was ever committed.
SELECT id
FROM outbox
ORDER BY id
