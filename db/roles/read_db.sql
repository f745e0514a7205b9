-- Roles and rights of the read database. A superuser runs it in that database
-- at every start; it can be repeated. Passwords are set elsewhere, because they differ between
-- installations.
--
-- The consumer service creates the views by its migrations and replaces whole schemas, so
-- it owns the database. The query service can only read the views. Neither has a role in
-- the write database.

-- Otherwise the owner of the database could place its own views and functions in front of
-- the system's, and the superuser would run them here.
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
        -- Reads the server's statistics, and no data.
        CREATE ROLE monitoring LOGIN CONNECTION LIMIT 10 IN ROLE pg_monitor;
    END IF;
END
$$;

-- Only these roles can connect, and the query service cannot create temporary tables.
DO $$
BEGIN
    EXECUTE format('ALTER DATABASE %I OWNER TO consumer_service', current_database());
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO query_service', current_database());
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
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO consumer_service', lock);
    END LOOP;
END
$$;

-- Large objects, which every role may write by default.
REVOKE EXECUTE ON FUNCTION lo_creat(INTEGER), lo_create(OID), lo_from_bytea(OID, BYTEA)
FROM PUBLIC;

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
          AND relowner <> 'consumer_service'::regrole
    LOOP
        EXECUTE format('ALTER %s %s OWNER TO consumer_service', kind, object);
    END LOOP;
END
$$;

-- The query service reads all that the consumer service has created or will create, in any
-- schema.
ALTER DEFAULT PRIVILEGES FOR ROLE consumer_service GRANT USAGE ON SCHEMAS TO query_service;
ALTER DEFAULT PRIVILEGES FOR ROLE consumer_service GRANT SELECT ON TABLES TO query_service;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO query_service;
