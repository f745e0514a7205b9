-- Each user, with the address of their newest account. The tables hold for users
-- whose events were all seen; of the others the events that were seen tell, and
-- accounts may have been seen before the user was.
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
WHERE NOT EXISTS (SELECT FROM unseen_users WHERE user_id = users.id)
UNION ALL
SELECT
    seen.user_id,
    (array_agg(payload ->> 'name' ORDER BY version DESC) FILTER (WHERE is_state))[1],
    (array_agg(payload ->> 'email' ORDER BY version DESC) FILTER (WHERE is_state))[1],
    (array_agg((payload ->> 'accountId')::bigint ORDER BY version DESC) FILTER (WHERE is_account))[1],
    (array_agg(payload ->> 'address1' ORDER BY version DESC) FILTER (WHERE is_account))[1],
    (array_agg(payload ->> 'city' ORDER BY version DESC) FILTER (WHERE is_account))[1],
    (array_agg(payload ->> 'state' ORDER BY version DESC) FILTER (WHERE is_account))[1],
    (array_agg(payload ->> 'zip' ORDER BY version DESC) FILTER (WHERE is_account))[1],
    min((payload ->> 'timestamp')::timestamptz)
FROM (
    SELECT
        user_id,
        version,
        payload,
        kind IN ('UserCreated', 'UserUpdated') AS is_state,
        kind = 'AccountCreated' AS is_account
    FROM seen_user_events
) AS seen
GROUP BY seen.user_id
