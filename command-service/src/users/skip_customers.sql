-- Moves the sequence of user ids to the end of the consecutive customer ids that contain its
-- last value, so that they are not tried one by one. The caller holds the lock for this.
SELECT setval(
    'users_id_seq',
    greatest(
        (SELECT last_value FROM users_id_seq),
        (
            SELECT id
            FROM customers AS last_of_run
            -- In a subquery, because a volatile function cannot be an index condition.
            WHERE id >= (SELECT currval('users_id_seq'))
                AND NOT EXISTS (
                    SELECT
                    FROM customers AS next
                    -- The highest id has no next one.
                    WHERE next.id = CASE
                        WHEN last_of_run.id < 9223372036854775807 THEN last_of_run.id + 1
                    END
                )
            ORDER BY id
            LIMIT 1
        )
    )
)
