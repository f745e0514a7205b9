-- Sets for the roles what the services send at connect and PgBouncer drops. Run it once in
-- each database, as a superuser. It may be repeated, and applies to connections that
-- PgBouncer opens afterwards.
DO $$
DECLARE
    setting record;
BEGIN
    FOR setting IN
        SELECT role, name, value
        FROM (VALUES
            -- Ends open transactions, and waits for locks.
            ('command_service', 'idle_in_transaction_session_timeout', '10s'),
            -- As for an order outside the batcher, so that no locked row delays orders for longer.
            ('command_service', 'lock_timeout', '1s'),
            ('command_service', 'statement_timeout', '4s'),
            ('consumer_service', 'idle_in_transaction_session_timeout', '10s'),
            ('consumer_service', 'lock_timeout', '5s'),
            ('query_service', 'idle_in_transaction_session_timeout', '10s'),
            ('query_service', 'lock_timeout', '5s'),
            ('query_service', 'statement_timeout', '10s'),
            ('query_service', 'default_transaction_read_only', 'on'),
            -- Plans by key: see INDEX_SCANS_ONLY in the service runtime.
            ('command_service', 'plan_cache_mode', 'force_generic_plan'),
            ('command_service', 'enable_seqscan', 'off'),
            ('command_service', 'enable_indexonlyscan', 'off'),
            ('command_service', 'jit', 'off'),
            ('consumer_service', 'plan_cache_mode', 'force_generic_plan'),
            ('consumer_service', 'enable_seqscan', 'off'),
            ('consumer_service', 'enable_indexonlyscan', 'off'),
            ('consumer_service', 'jit', 'off'),
            ('query_service', 'jit', 'off')
        ) AS settings (role, name, value)
        JOIN pg_roles ON rolname = role
    LOOP
        EXECUTE format('ALTER ROLE %I IN DATABASE %I SET %I = %L',
                       setting.role, current_database(), setting.name, setting.value);
    END LOOP;
END
$$;
