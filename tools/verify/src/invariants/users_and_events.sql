-- Each version of a user has one event, and each event has its user.
SELECT
    'user ' || coalesce(users.id, event.user_id) AS subject,
    'events in the outbox' AS what,
    coalesce(users.version, 0)::text AS expected,
    coalesce(event.events, 0)::text AS found
FROM users
FULL JOIN (
    SELECT (payload ->> 'userId')::bigint AS user_id, count(*) AS events
    FROM outbox
    WHERE topic = 'user-events'
    GROUP BY 1
) AS event ON event.user_id = users.id
WHERE coalesce(users.version, 0) <> coalesce(event.events, 0)
ORDER BY coalesce(users.id, event.user_id)
