-- Updates users: the newest state and the newest account win, independently of each other.
--
-- $1 user; $2 and $3 name and e-mail of the newest state, null if the batch has none; $4 and $5
-- its version and event id; $6 to $10 the newest account, null if the batch has none; $11 and
-- $12 its version and event id; $13 and $14 version and time of the event with the lowest version;
-- $15 time of the latest event.
INSERT INTO users_read AS view
    (
        user_id, name, email, state_version, state_event, account_id, address1, city, state, zip,
        account_version, account_event, created_version, created_at, updated_at
    )
SELECT *
FROM unnest(
    $1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::uuid[], $6::bigint[], $7::text[],
    $8::text[], $9::text[], $10::text[], $11::bigint[], $12::uuid[], $13::bigint[],
    $14::timestamptz[], $15::timestamptz[]
)
ON CONFLICT (user_id) DO UPDATE
SET (name, email, state_version, state_event) = (
        SELECT newest.name, newest.email, newest.version, newest.event
        FROM (
            VALUES
                (view.name, view.email, view.state_version, view.state_event),
                (excluded.name, excluded.email, excluded.state_version, excluded.state_event)
        ) AS newest (name, email, version, event)
        ORDER BY newest.version DESC, newest.event DESC
        LIMIT 1
    ),
    (account_id, address1, city, state, zip, account_version, account_event) = (
        SELECT newest.id, newest.address1, newest.city, newest.state, newest.zip, newest.version,
               newest.event
        FROM (
            VALUES
                (view.account_id, view.address1, view.city, view.state, view.zip,
                 view.account_version, view.account_event),
                (excluded.account_id, excluded.address1, excluded.city, excluded.state,
                 excluded.zip, excluded.account_version, excluded.account_event)
        ) AS newest (id, address1, city, state, zip, version, event)
        ORDER BY newest.version DESC, newest.event DESC
        LIMIT 1
    ),
    -- Clocks of services differ, so an event with a higher version can have an earlier time.
    created_at = CASE
        WHEN (excluded.created_version, excluded.created_at)
            < (view.created_version, view.created_at)
        THEN excluded.created_at
        ELSE view.created_at
    END,
    created_version = least(view.created_version, excluded.created_version),
    updated_at = greatest(view.updated_at, excluded.updated_at)
