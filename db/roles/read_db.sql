-- Who may do what in the read database. Run by a superuser in that database, at every
-- start and as often as one likes. Passwords are set elsewhere, as they are not the same
-- everywhere.
--
-- The consumer service makes the views by its migrations and exchanges whole schemas, so
-- it owns the database. The query service can read the views and nothing else. Neither
-- has a role in the write database.

-- An owner may have names found in a schema of its own first, with views and functions
-- that a superuser would run here.
SET search_path = pg_catalog, pg_temp;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'consumer_service') THEN
        CREATE ROLE consumer_service LOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'query_service') THEN
        CREATE ROLE query_service LOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'monitoring') THEN
        -- Sees the server's statistics, and no data of ours.
        CREATE ROLE monitoring LOGIN CONNECTION LIMIT 10 IN ROLE pg_monitor;
    END IF;
END
$$;

-- Nobody who is not named here gets in, and the query service makes no temporary tables.
DO $$
BEGIN
    EXECUTE format('ALTER DATABASE %I OWNER TO consumer_service', current_database());
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO query_service', current_database());
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
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO consumer_service', lock);
    END LOOP;
END
$$;

-- The other things that anybody may write by default: large objects.
REVOKE EXECUTE ON FUNCTION lo_creat(INTEGER), lo_create(OID), lo_from_bytea(OID, BYTEA)
FROM PUBLIC;

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
          AND relowner <> 'consumer_service'::regrole
    LOOP
        EXECUTE format('ALTER %s %s OWNER TO consumer_service', kind, object);
    END LOOP;
END
$$;

-- The query service reads whatever the consumer service will create, in any schema, and
-- what it has created already.
ALTER DEFAULT PRIVILEGES FOR ROLE consumer_service GRANT USAGE ON SCHEMAS TO query_service;
ALTER DEFAULT PRIVILEGES FOR ROLE consumer_service GRANT SELECT ON TABLES TO query_service;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO query_service;
