-- Each user with the address of the newest account. The tables are right for users without
-- unapplied events; other users are as in their applied events, of which an account may come
-- before the user.
SELECT
    users.id AS user_id,
    users.name,
    users.email,
    account.id AS account_id,
    account.address1,
    account.city,
    account.state,
    account.zip,
    users.created_at
FROM users
LEFT JOIN (
    SELECT DISTINCT ON (user_id) *
    FROM accounts
    ORDER BY user_id, id DESC
) AS account ON account.user_id = users.id
WHERE NOT EXISTS (SELECT FROM unapplied_users WHERE user_id = users.id)
UNION ALL
SELECT
    user_id,
    state.payload ->> 'name',
    state.payload ->> 'email',
    (account.payload ->> 'accountId')::bigint,
    account.payload ->> 'address1',
    account.payload ->> 'city',
    account.payload ->> 'state',
    account.payload ->> 'zip',
    first_event.created_at
FROM (
    SELECT DISTINCT ON (user_id) user_id, (payload ->> 'timestamp')::timestamptz AS created_at
    FROM applied_user_events
    ORDER BY user_id, version
) AS first_event
LEFT JOIN (
    SELECT DISTINCT ON (user_id) user_id, payload
    FROM applied_user_events
    WHERE event_type IN ('UserCreated', 'UserUpdated')
    ORDER BY user_id, version DESC
) AS state USING (user_id)
LEFT JOIN (
    SELECT DISTINCT ON (user_id) user_id, payload
    FROM applied_user_events
    WHERE event_type = 'AccountCreated'
    ORDER BY user_id, version DESC
) AS account USING (user_id)
