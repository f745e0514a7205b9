-- Who may do what in the write database. Run by a superuser in that database, at every
-- start and as often as one likes. Passwords are set elsewhere, as they are not the same
-- everywhere.
--
-- The command service makes and changes the tables by its migrations, so it owns the
-- database. It is no superuser: it can neither read files and run programs of the
-- server, nor make roles and databases.

-- An owner may have names found in a schema of its own first, with views and functions
-- that a superuser would run here.
SET search_path = pg_catalog, pg_temp;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'command_service') THEN
        CREATE ROLE command_service LOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'monitoring') THEN
        -- Sees the server's statistics, and no data of ours.
        CREATE ROLE monitoring LOGIN CONNECTION LIMIT 10 IN ROLE pg_monitor;
    END IF;
END
$$;

-- Nobody who is not named here gets in.
DO $$
BEGIN
    EXECUTE format('ALTER DATABASE %I OWNER TO command_service', current_database());
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO monitoring', current_database());
END
$$;

-- By these the services agree on who publishes, and on what is remembered: whoever else
-- could take them could have them wait for ever.
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

-- What a superuser has created, by restoring a dump without owners for example. Sequences
-- and indexes follow their tables.
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
