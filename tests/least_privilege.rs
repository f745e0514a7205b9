//! Each service can do its work with its database role and broker user, as every other
//! test shows, and is refused what is not its work.

use crate::harness::{Servers, Service, Shop, assert_views_agree, eventually, free_port};
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions,
    QueuePurgeOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use uuid::Uuid;

#[tokio::test]
async fn the_query_service_can_only_read() {
    let shop = Shop::start().await;
    shop.product("Tea", "5", 10).await;
    shop.caught_up().await;
    let url = shop.databases.query_url(Servers::of_environment().read_port());
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
        refused(&mut connection, statement).await;
    }
    refused_to_any_service(&mut connection).await;

    // What the consumer service makes later can be read as well.
    let url = shop.databases.consumer_url(Servers::of_environment().read_port());
    let mut consumer = PgConnection::connect(&url).await.unwrap();
    let make = "CREATE SCHEMA rebuilt; CREATE TABLE rebuilt.view AS SELECT 7 AS figure";
    sqlx::raw_sql(make).execute(&mut consumer).await.unwrap();
    let figure: i32 = sqlx::query_scalar("SELECT figure FROM rebuilt.view")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(figure, 7);
    refused(&mut connection, "DELETE FROM rebuilt.view").await;
    drop((connection, consumer));
    shop.stop().await;
}

#[tokio::test]
async fn no_service_is_more_than_the_owner_of_its_database() {
    let shop = Shop::start().await;
    let servers = Servers::of_environment();
    for url in [
        shop.databases.command_url(servers.write_port()),
        shop.databases.consumer_url(servers.read_port()),
    ] {
        let mut connection = PgConnection::connect(&url).await.unwrap();
        refused_to_any_service(&mut connection).await;
    }
    shop.stop().await;
}

#[tokio::test]
async fn no_service_gets_into_the_other_sides_database() {
    let shop = Shop::start().await;
    let read_port = Servers::of_environment().read_port();
    // Even if both are on one server.
    let [_, people] = shop.databases.urls();
    let name = format!("test_{}", Uuid::new_v4().simple());
    let mut server = PgConnection::connect(&people).await.unwrap();
    let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
    sqlx::raw_sql(create).execute(&mut server).await.unwrap();
    let beside = |url: &str| format!("{}/{name}", url.rsplit_once('/').unwrap().0);
    let mut write = PgConnection::connect(&beside(&people)).await.unwrap();
    let rights = include_str!("../db/roles/write_db.sql");
    sqlx::raw_sql(rights).execute(&mut write).await.unwrap();
    for url in [shop.databases.consumer_url(read_port), shop.databases.query_url(read_port)] {
        let error = PgConnection::connect(&beside(&url)).await.err().unwrap();
        assert_eq!(sqlstate(&error), "42501", "{error}");
    }
    write.close().await.unwrap();
    let drop_it = AssertSqlSafe(format!("DROP DATABASE {name}"));
    sqlx::raw_sql(drop_it).execute(&mut server).await.unwrap();
    shop.stop().await;
}

#[tokio::test]
async fn an_owner_of_a_database_has_no_superuser_run_its_code() {
    let shop = Shop::start().await;
    let servers = Servers::of_environment();
    let [write, read] = shop.databases.urls();
    for (owner, people) in [
        (shop.databases.command_url(servers.write_port()), write),
        (shop.databases.consumer_url(servers.read_port()), read),
    ] {
        let mut connection = PgConnection::connect(&owner).await.unwrap();
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
        let mut connection = PgConnection::connect(&people).await.unwrap();
        let caught: Vec<String> = sqlx::query_scalar("SELECT who FROM trap.caught")
            .fetch_all(&mut connection)
            .await
            .unwrap();
        assert!(caught.is_empty(), "{caught:?}");
    }
    shop.stop().await;
}

#[tokio::test]
async fn nobody_holds_up_the_services_or_writes_beside_their_databases() {
    let shop = Shop::start().await;
    let [write, read] = shop.databases.monitoring_urls();
    let query = shop.databases.query_url(Servers::of_environment().read_port());
    for url in [&write, &read, &query] {
        let mut connection = PgConnection::connect(url).await.unwrap();
        refused(&mut connection, "SELECT pg_try_advisory_lock(1)").await;
        refused(&mut connection, "SELECT pg_advisory_xact_lock_shared(1, 1)").await;
        // It is on each server, whatever else is.
        let elsewhere = format!("{}/postgres", url.rsplit_once('/').unwrap().0);
        let error = PgConnection::connect(&elsewhere).await.err().unwrap();
        assert_eq!(sqlstate(&error), "42501", "{error}");
    }
    shop.stop().await;
}

#[tokio::test]
async fn who_watches_the_servers_sees_no_data() {
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
        // What the exporter reads: sessions of other roles, and the sizes of databases.
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
            refused(&mut connection, statement).await;
        }
        refused(&mut connection, "CREATE TABLE mine (id INT)").await;
        refused_to_any_service(&mut connection).await;
    }
    shop.stop().await;
}

#[tokio::test]
async fn what_was_made_before_there_were_roles_becomes_theirs() {
    let mut shop = Shop::start().await;
    let product = shop.product("Tea", "5", 10).await;
    shop.caught_up().await;
    // As the versions before did: everything is the superuser's.
    let [write, read] = [&shop.databases.write, &shop.databases.read];
    for pool in [write, read] {
        sqlx::raw_sql(
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
        .execute(pool)
        .await
        .unwrap();
    }
    let sales = format!("/api/analytics/products/{product}/sales");
    eventually(async || {
        let response = shop.get(&sales).await;
        if response.status == 503 { Ok(()) } else { Err(response.text) }
    })
    .await;

    shop.databases.grant().await;
    // It migrates again, as a later version would.
    shop.command.kill();
    shop.command.restart();
    shop.consumer.kill();
    shop.consumer.restart();
    for service in [&shop.command, &shop.consumer, &shop.query] {
        service.healthy().await;
    }
    assert_eq!(shop.order(1, product, 2).await.status, 201);
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
async fn a_wrong_password_is_told_and_waited_for() {
    let shop = Shop::start().await;
    let url = shop.databases.query_url(Servers::of_environment().read_port());
    let settings = vec![
        ("READ_DATABASE_URL", url.replace(":password@", ":wrong@")),
        ("QUERY_SERVICE_PORT", free_port().to_string()),
    ];
    let query = Service::start("query-service", settings, None);
    eventually(async || {
        let health = query.health().await;
        let told = health.text.contains("password authentication failed");
        if health.status == 503 && told { Ok(()) } else { Err(health.text) }
    })
    .await;
    // Everybody may see that, and operators why.
    let api = query.address("api").await;
    let health = reqwest::get(format!("http://{api}/health")).await.unwrap();
    assert_eq!(health.status(), 503);
    let health = health.text().await.unwrap();
    assert!(health.contains("database") && !health.contains("password"), "{health}");
    assert_eq!(reqwest::get(format!("http://{api}/api/products")).await.unwrap().status(), 503);
    shop.stop().await;
}

/// What is nobody's work.
async fn refused_to_any_service(connection: &mut PgConnection) {
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
        refused(connection, statement).await;
    }
}

async fn refused(connection: &mut PgConnection, statement: &'static str) {
    let outcome = sqlx::raw_sql(statement).execute(connection).await;
    let error = outcome.err().unwrap_or_else(|| panic!("not refused: {statement}"));
    assert_eq!(sqlstate(&error), "42501", "{statement}: {error}");
}

fn sqlstate(error: &sqlx::Error) -> String {
    let error = error.as_database_error().unwrap_or_else(|| panic!("{error}"));
    error.code().unwrap_or_default().into_owned()
}

/// What the broker said.
#[derive(Debug)]
struct Said(lapin::Result<()>);

impl Said {
    /// Whether it was a lack of rights, and nothing else.
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

async fn consume(channel: &Channel, queue: &str) -> Said {
    let options = BasicConsumeOptions::default();
    Said(
        channel
            .basic_consume(queue.into(), "".into(), options, FieldTable::default())
            .await
            .map(drop),
    )
}

async fn declare(channel: &Channel, queue: &str) -> Said {
    let options = QueueDeclareOptions::durable();
    Said(channel.queue_declare(queue.into(), options, FieldTable::default()).await.map(drop))
}

async fn purge(channel: &Channel, queue: &str) -> Said {
    Said(channel.queue_purge(queue.into(), QueuePurgeOptions::default()).await.map(drop))
}

async fn publish(channel: &Channel, exchange: &str, key: &str) -> Said {
    let options = BasicPublishOptions::default();
    let sent = channel
        .basic_publish(exchange.into(), key.into(), options, b"{}", BasicProperties::default())
        .await;
    Said(match sent {
        Ok(confirm) => confirm.await.map(drop),
        Err(error) => Err(error),
    })
}
