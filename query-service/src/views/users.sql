-- A page of users, by id. A row without a name is one that only accounts have
-- told of so far.
--
-- $1 whether ids descend; $2 the first id that may be shown; $3 most rows;
-- $4 e-mail, without regard to case; $5 and $6 from when and until when they
-- signed up. Null filters nothing.
WITH wanted AS NOT MATERIALIZED (
    SELECT user_id, name, email, account_id, address1, city, state, zip, created_at,
           updated_at
    FROM users_read
    WHERE name IS NOT NULL
        AND ($4::text IS NULL OR lower(email) = lower($4))
        AND ($5::timestamptz IS NULL OR created_at >= $5)
        AND ($6::timestamptz IS NULL OR created_at < $6)
)
-- One of the two is known to be empty when the statement is planned.
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
