SELECT
    user_id,
    name,
    email,
    account_id,
    address1,
    city,
    state,
    zip,
    created_at
FROM users_read
