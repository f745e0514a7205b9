//! The database role and the broker user of each service permit nothing beyond its task. (The
//! other tests show that they permit the task.)

use crate::harness::{
    Response, Servers, Service, Shop, assert_views_agree, client, execute, free_port,
};
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions,
    QueuePurgeOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use uuid::Uuid;

#[tokio::test]
async fn the_query_service_can_only_read_views() {
    let shop = Shop::start().await;
    shop.product("Tea", "5", 10).await;
    shop.caught_up().await;
    let url = shop.databases.url_as("query_service");
    let mut connection = PgConnection::connect(&url).await.unwrap();
    for statement in [
        "DELETE FROM products_read",
        "UPDATE product_sales_view SET total_revenue = 0",
        "INSERT INTO processed_events (event_id) VALUES (gen_random_uuid())",
        "TRUNCATE users_read",
        "DO $$ BEGIN LOCK TABLE orders_read IN EXCLUSIVE MODE; END $$",
        "CREATE TABLE mine (id INT)",
        "CREATE TEMPORARY TABLE mine (id INT)",
        "CREATE SCHEMA mine",
        "SELECT lo_create(0)",
        "SELECT lo_from_bytea(0, 'x')",
    ] {
        assert_refused(&mut connection, statement).await;
    }
    assert_refused_to_any_service(&mut connection).await;

    // It can also read what the consumer service creates later.
    let url = shop.databases.url_as("consumer_service");
    let mut consumer = PgConnection::connect(&url).await.unwrap();
    let create = "CREATE SCHEMA rebuilt; CREATE TABLE rebuilt.view AS SELECT 7 AS value";
    sqlx::raw_sql(create).execute(&mut consumer).await.unwrap();
    let value: i32 = sqlx::query_scalar("SELECT value FROM rebuilt.view")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(value, 7);
    assert_refused(&mut connection, "DELETE FROM rebuilt.view").await;
    drop((connection, consumer));
    shop.stop().await;
}

#[tokio::test]
async fn no_service_has_privileges_beyond_its_database() {
    let shop = Shop::start().await;
    for role in ["command_service", "consumer_service"] {
        let url = shop.databases.url_as(role);
        let mut connection = PgConnection::connect(&url).await.unwrap();
        assert_refused_to_any_service(&mut connection).await;
    }
    shop.stop().await;
}

#[tokio::test]
async fn no_service_of_the_read_side_can_connect_to_the_write_database() {
    let shop = Shop::start().await;
    // Both databases are on one server here.
    let [_, superuser] = shop.databases.urls();
    let name = format!("test_{}", Uuid::new_v4().simple());
    let mut server = PgConnection::connect(&superuser).await.unwrap();
    let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
    sqlx::raw_sql(create).execute(&mut server).await.unwrap();
    let beside = |url: &str| format!("{}/{name}", url.rsplit_once('/').unwrap().0);
    let mut write = PgConnection::connect(&beside(&superuser)).await.unwrap();
    let privileges = include_str!("../db/roles/write_db.sql");
    sqlx::raw_sql(privileges).execute(&mut write).await.unwrap();
    for role in ["consumer_service", "query_service"] {
        let url = beside(&shop.databases.url_as(role));
        let error = PgConnection::connect(&url).await.err().unwrap();
        assert_eq!(sqlstate(&error), "42501", "{error}");
    }
    write.close().await.unwrap();
    let drop_it = AssertSqlSafe(format!("DROP DATABASE {name}"));
    sqlx::raw_sql(drop_it).execute(&mut server).await.unwrap();
    shop.stop().await;
}

#[tokio::test]
async fn granting_privileges_runs_no_code_of_a_database_owner() {
    let shop = Shop::start().await;
    let [write, read] = shop.databases.urls();
    for (owner, superuser) in [("command_service", write), ("consumer_service", read)] {
        let url = shop.databases.url_as(owner);
        let mut connection = PgConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(
            r#"CREATE SCHEMA trap;
            CREATE TABLE trap.caught (who TEXT);
            CREATE FUNCTION trap.spring() RETURNS BOOL VOLATILE LANGUAGE plpgsql AS
            $$ BEGIN INSERT INTO trap.caught VALUES (current_user); RETURN true; END $$;
            CREATE VIEW trap.pg_roles AS SELECT * FROM pg_catalog.pg_roles WHERE trap.spring();
            CREATE VIEW trap.pg_class AS SELECT * FROM pg_catalog.pg_class WHERE trap.spring();
            DO $$ BEGIN EXECUTE format(
                'ALTER DATABASE %I SET search_path = trap, pg_catalog, public',
                current_database());
            END $$"#,
        )
        .execute(&mut connection)
        .await
        .unwrap();
        connection.close().await.unwrap();

        shop.databases.grant().await;
        let mut connection = PgConnection::connect(&superuser).await.unwrap();
        let caught: Vec<String> = sqlx::query_scalar("SELECT who FROM trap.caught")
            .fetch_all(&mut connection)
            .await
            .unwrap();
        assert!(caught.is_empty(), "{caught:?}");
    }
    shop.stop().await;
}

#[tokio::test]
async fn read_only_roles_can_take_no_advisory_lock_and_use_no_other_database() {
    let shop = Shop::start().await;
    let [write, read] = shop.databases.monitoring_urls();
    let query = shop.databases.url_as("query_service");
    for url in [&write, &read, &query] {
        let mut connection = PgConnection::connect(url).await.unwrap();
        assert_refused(&mut connection, "SELECT pg_try_advisory_lock(1)").await;
        assert_refused(&mut connection, "SELECT pg_advisory_xact_lock_shared(1, 1)").await;
        // This database exists on every server.
        let elsewhere = format!("{}/postgres", url.rsplit_once('/').unwrap().0);
        let error = PgConnection::connect(&elsewhere).await.err().unwrap();
        assert_eq!(sqlstate(&error), "42501", "{error}");
    }
    shop.stop().await;
}

#[tokio::test]
async fn the_monitoring_role_can_read_statistics_but_no_data() {
    let shop = Shop::start().await;
    shop.product("Tea", "5", 10).await;
    shop.caught_up().await;
    let [write, read] = shop.databases.monitoring_urls();
    for (url, data) in [
        (write, ["SELECT * FROM orders", "SELECT * FROM outbox", "DELETE FROM products"]),
        (
            read,
            ["SELECT * FROM users_read", "SELECT * FROM orders_read", "DELETE FROM products_read"],
        ),
    ] {
        let mut connection = PgConnection::connect(&url).await.unwrap();
        // The exporter reads sessions of other roles and sizes of databases.
        let seen: i64 = sqlx::query_scalar(
            "SELECT count(*) FILTER (WHERE query NOT LIKE '<insufficient privilege>')
             FROM pg_stat_activity
             WHERE datname = current_database() AND usename <> current_user
               AND pg_database_size(datname) > 0",
        )
        .fetch_one(&mut connection)
        .await
        .unwrap();
        assert!(seen > 0);
        for statement in data {
            assert_refused(&mut connection, statement).await;
        }
        assert_refused(&mut connection, "CREATE TABLE mine (id INT)").await;
        assert_refused_to_any_service(&mut connection).await;
    }
    shop.stop().await;
}

#[tokio::test]
async fn objects_created_before_the_roles_are_transferred_to_them() {
    let mut shop = Shop::start().await;
    let product = shop.product("Tea", "5", 10).await;
    shop.caught_up().await;
    // In earlier versions the superuser owned everything.
    let [write, read] = [&shop.databases.write, &shop.databases.read];
    for pool in [write, read] {
        execute(
            pool,
            r#"DO $$
            DECLARE object RECORD;
            BEGIN
                FOR object IN
                    SELECT oid::regclass AS name FROM pg_class
                    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')
                LOOP
                    EXECUTE format('ALTER TABLE %s OWNER TO CURRENT_USER', object.name);
                END LOOP;
                IF to_regclass('orders_read') IS NOT NULL THEN
                    REVOKE ALL ON ALL TABLES IN SCHEMA public FROM query_service, consumer_service;
                END IF;
            END
            $$"#,
        )
        .await;
    }
    let sales = format!("/api/analytics/products/{product}/sales");
    shop.get_until(&sales, |response| response.status == 503).await;

    shop.databases.grant().await;
    // The restarted services migrate, as a later version would.
    shop.command.kill();
    shop.command.restart();
    shop.consumer.kill();
    shop.consumer.restart();
    shop.healthy().await;
    shop.place_order(1, product, 2).await;
    shop.caught_up().await;
    assert_eq!(shop.get(&sales).await.body["totalQuantitySold"], 2);
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}

#[tokio::test]
async fn the_command_service_can_only_publish() {
    let shop = Shop::start().await;
    let channel = || channel(&shop, "command-service");
    assert!(consume(&channel().await, "order-events").await.is_refused());
    assert!(publish(&channel().await, "", "order-events").await.is_refused());
    assert!(publish(&channel().await, "amq.topic", "x").await.is_refused());
    assert!(declare(&channel().await, "mine").await.is_refused());
    assert!(purge(&channel().await, "order-events").await.is_refused());
    assert!(consume(&channel().await, "missing").await.is_refused());
    shop.stop().await;
}

#[tokio::test]
async fn the_consumer_service_can_only_consume() {
    let shop = Shop::start().await;
    let channel = || channel(&shop, "consumer-service");
    assert!(publish(&channel().await, "ecommerce.events", "order-events.X").await.is_refused());
    assert!(publish(&channel().await, "", "order-events").await.is_refused());
    assert!(declare(&channel().await, "mine").await.is_refused());
    assert!(consume(&channel().await, "mine").await.is_refused());
    shop.stop().await;
}

#[tokio::test]
async fn a_wrong_password_is_reported_to_operators_only() {
    let shop = Shop::start().await;
    let url = shop.databases.url_as("query_service");
    let settings = vec![
        ("READ_DATABASE_URL", url.replace(":password@", ":wrong@")),
        ("QUERY_SERVICE_PORT", free_port().to_string()),
    ];
    let query = Service::start("query-service", settings, None);
    query
        .wait_for_health(|health| {
            health.status == 503 && health.text.contains("password authentication failed")
        })
        .await;
    // The API port shows the status without the reason.
    let get = async |path| Response::to(client().get(query.url("api", path).await)).await.unwrap();
    let health = get("/health").await;
    health.assert_status(503);
    let text = &health.text;
    assert!(text.contains("database") && !text.contains("password"), "{text}");
    get("/api/products").await.assert_status(503);
    shop.stop().await;
}

/// Asserts that statements are refused which no service needs.
async fn assert_refused_to_any_service(connection: &mut PgConnection) {
    for statement in [
        "CREATE ROLE mine",
        "CREATE DATABASE mine",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT rolpassword FROM pg_authid",
        "ALTER SYSTEM SET fsync = off",
        "CREATE EXTENSION adminpack",
        r#"SET ROLE "user""#,
    ] {
        assert_refused(connection, statement).await;
    }
}

async fn assert_refused(connection: &mut PgConnection, statement: &'static str) {
    let outcome = sqlx::raw_sql(statement).execute(connection).await;
    let error = outcome.err().unwrap_or_else(|| panic!("not refused: {statement}"));
    assert_eq!(sqlstate(&error), "42501", "{statement}: {error}");
}

fn sqlstate(error: &sqlx::Error) -> String {
    let error = error.as_database_error().unwrap_or_else(|| panic!("{error}"));
    error.code().unwrap_or_default().into_owned()
}

/// The outcome of an AMQP method.
#[derive(Debug)]
struct Outcome(lapin::Result<()>);

impl Outcome {
    /// Whether the broker has refused it for lack of permission.
    fn is_refused(&self) -> bool {
        self.0.as_ref().is_err_and(|error| error.to_string().contains("ACCESS_REFUSED"))
    }
}

async fn channel(shop: &Shop, user: &str) -> Channel {
    let url = shop.broker.url_as(user, Servers::of_environment().broker_port());
    let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    channel
}

async fn consume(channel: &Channel, queue: &str) -> Outcome {
    let options = BasicConsumeOptions::default();
    Outcome(
        channel
            .basic_consume(queue.into(), "".into(), options, FieldTable::default())
            .await
            .map(drop),
    )
}

async fn declare(channel: &Channel, queue: &str) -> Outcome {
    let options = QueueDeclareOptions::durable();
    Outcome(channel.queue_declare(queue.into(), options, FieldTable::default()).await.map(drop))
}

async fn purge(channel: &Channel, queue: &str) -> Outcome {
    Outcome(channel.queue_purge(queue.into(), QueuePurgeOptions::default()).await.map(drop))
}

async fn publish(channel: &Channel, exchange: &str, key: &str) -> Outcome {
    let options = BasicPublishOptions::default();
    let sent = channel
        .basic_publish(exchange.into(), key.into(), options, b"{}", BasicProperties::default())
        .await;
    Outcome(match sent {
        Ok(confirm) => confirm.await.map(drop),
        Err(error) => Err(error),
    })
}
