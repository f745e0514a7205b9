-- A page of users, by id. A row without a name has only events of an account so far.
--
-- $1 whether ids descend; $2 the first id that may be shown; $3 maximum number of rows; $4 e-mail,
-- without regard to case; $5 and $6 start and end (exclusive) of the period in which they signed
-- up. A filter that is null does not apply.
WITH wanted AS NOT MATERIALIZED (
    SELECT user_id, name, email, account_id, address1, city, state, zip, created_at,
           updated_at
    FROM users_read
    WHERE name IS NOT NULL
        AND ($4::text IS NULL OR lower(email) = lower($4))
        AND ($5::timestamptz IS NULL OR created_at >= $5)
        AND ($6::timestamptz IS NULL OR created_at < $6)
)
-- The planner knows $1 and so omits one of the two.
(
    SELECT
        user_id AS "user_id!",
        name AS "name!",
        email AS "email!",
        account_id,
        address1,
        city,
        state,
        zip,
        created_at AS "created_at!",
        updated_at AS "updated_at!"
    FROM wanted
    WHERE NOT $1 AND user_id >= $2
    ORDER BY user_id
    LIMIT $3
)
UNION ALL
(
    SELECT *
    FROM wanted
    WHERE $1 AND user_id <= $2
    ORDER BY user_id DESC
    LIMIT $3
)
