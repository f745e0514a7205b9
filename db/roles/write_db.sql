-- Roles and rights of the write database. A superuser runs it in that database
-- at every start; it can be repeated. Passwords are set elsewhere, because they differ between
-- installations.
--
-- The command service creates and changes the tables by its migrations, so it owns the
-- database. It is not a superuser: it cannot read files or run programs of the server, or
-- create roles and databases.

-- Otherwise the owner of the database could place its own views and functions in front of
-- the system's, and the superuser would run them here.
SET search_path = pg_catalog, pg_temp;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'command_service') THEN
        CREATE ROLE command_service LOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'monitoring') THEN
        -- Reads the server's statistics, and no data.
        CREATE ROLE monitoring LOGIN CONNECTION LIMIT 10 IN ROLE pg_monitor;
    END IF;
END
$$;

-- Only these roles can connect.
DO $$
BEGIN
    EXECUTE format('ALTER DATABASE %I OWNER TO command_service', current_database());
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO monitoring', current_database());
END
$$;

-- Advisory locks decide who publishes, and protect deduplication records. Another role that
-- could take them could block the services for ever.
DO $$
DECLARE
    lock REGPROCEDURE;
BEGIN
    FOR lock IN
        SELECT oid
        FROM pg_proc
        WHERE pronamespace = 'pg_catalog'::regnamespace
          AND proname ~ '^pg_(try_)?advisory_(xact_)?lock(_shared)?$'
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', lock);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO command_service', lock);
    END LOOP;
END
$$;

-- Takes over what a superuser has created, for example by restoring a dump without owners.
-- Sequences and indexes follow their tables.
DO $$
DECLARE
    kind TEXT;
    object TEXT;
BEGIN
    FOR kind, object IN
        SELECT 'TABLE', format('%I.%I', nspname, relname)
        FROM pg_class
        JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE nspname = 'public'
          AND relkind IN ('r', 'p', 'v')
          AND relowner <> 'command_service'::regrole
        UNION ALL
        SELECT 'FUNCTION', pg_proc.oid::regprocedure::text
        FROM pg_proc
        JOIN pg_namespace ON pg_namespace.oid = pronamespace
        WHERE nspname = 'public'
          AND proowner <> 'command_service'::regrole
    LOOP
        EXECUTE format('ALTER %s %s OWNER TO command_service', kind, object);
    END LOOP;
END
$$;
