-- Ids of all committed events.
SELECT id
FROM outbox
ORDER BY id
