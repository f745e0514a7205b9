//! A database that responses but fails: clients, health and the log get the reason, a known
//! outcome is never reported as unknown, and the service recovers without a restart.

use crate::harness::{
    Direction, Links, Response, Servers, Shop, assert_views_agree, client, eventually, json, order,
};
use futures::future::join_all;
use reqwest::Method;

/// Makes writes of orders and products fail with that SQLSTATE, at once or at COMMIT.
async fn break_writes(shop: &Shop, sqlstate: &str, at_commit: bool) {
    let trigger = if at_commit {
        "CREATE CONSTRAINT TRIGGER broken AFTER INSERT ON outbox DEFERRABLE INITIALLY DEFERRED"
    } else {
        "CREATE TRIGGER broken BEFORE INSERT ON outbox"
    };
    let sql = format!(
        "CREATE OR REPLACE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             RAISE EXCEPTION USING ERRCODE = '{sqlstate}';
         END
         $$;
         {trigger} FOR EACH ROW EXECUTE FUNCTION broken()"
    );
    run(shop, sql).await;
}

async fn mend_writes(shop: &Shop) {
    run(shop, "DROP TRIGGER broken ON outbox".to_owned()).await;
}

/// As an operator, in the write database.
async fn run(shop: &Shop, sql: String) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&shop.databases.write).await.unwrap();
}

/// An order and a product.
async fn commands(shop: &Shop, product: i64) -> [Response; 2] {
    let body = r#"{"name":"New","category":"Tea","price":1}"#;
    let (ordered, created) =
        tokio::join!(shop.order(1, product, 1), shop.post("/api/products", body));
    [ordered, created]
}

/// Waits until health has that status, with that reason at `commands`.
async fn health_is(shop: &Shop, status: u16, reason: &str) {
    eventually(async || {
        let health = shop.command.health().await;
        let detail = health.body["commands"]["detail"].as_str().unwrap_or_default();
        let is = health.status == status && detail == reason;
        if is { Ok(()) } else { Err(health.text) }
    })
    .await;
}

#[tokio::test]
async fn an_error_response_is_never_unknown_and_told_as_what_it_is() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "5", 1_000).await;
    for (sqlstate, message) in [
        ("53100", "The database has no space left."),
        ("53300", "The database has no free connection."),
        ("53200", "The database is out of memory or at a configured limit."),
        ("42501", "The database role lacks a right."),
        ("42P01", "The database is not migrated."),
        ("25006", "The database is read-only."),
        ("58030", "The database cannot read or write its files."),
    ] {
        for at_commit in [false, true] {
            break_writes(&shop, sqlstate, at_commit).await;
            for response in commands(&shop, product).await {
                let told = (response.status, response.error());
                assert_eq!(told, (503, "Service unavailable"), "{sqlstate}: {}", response.text);
                let detail = response.body["detail"].as_str().unwrap();
                assert_eq!(detail, format!("{message} The request had no effect."));
            }
            health_is(&shop, 503, message).await;
            mend_writes(&shop).await;
            health_is(&shop, 200, "").await;
        }
    }
    // Failures that do not affect other commands do not change health.
    for (sqlstate, error, message) in [
        ("57014", "Service unavailable", "The database cancelled the statement"),
        ("40001", "Service busy", "Another transaction holds what the request needs."),
    ] {
        break_writes(&shop, sqlstate, true).await;
        for response in commands(&shop, product).await {
            assert_eq!((response.status, response.error()), (503, error), "{}", response.text);
            assert!(response.text.contains(message), "{}", response.text);
        }
        assert_eq!(shop.command.health().await.status, 200);
        mend_writes(&shop).await;
    }
    assert_eq!(shop.databases.query_write("SELECT count(*) FROM orders").await, 0);
    assert_eq!(shop.order(1, product, 1).await.status, 201);
    shop.caught_up().await;
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}

#[tokio::test]
async fn a_session_that_is_ended_at_commit_is_unknown() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "5", 1_000).await;
    run(
        &shop,
        "CREATE FUNCTION ended() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             PERFORM pg_terminate_backend(pg_backend_pid());
             RETURN NULL;
         END
         $$;
         CREATE CONSTRAINT TRIGGER ended AFTER INSERT ON outbox
         DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ended()"
            .to_owned(),
    )
    .await;
    for response in commands(&shop, product).await {
        assert_eq!(
            (response.status, response.error()),
            (503, "Outcome unknown"),
            "{}",
            response.text
        );
    }
    let log = shop.command.log();
    assert_eq!(log.matches("the outcome of a command is unknown").count(), 1, "{log}");
    shop.stop().await;
}

#[tokio::test]
async fn many_failures_are_one_line_that_names_the_request() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "5", 1_000).await;
    break_writes(&shop, "53100", false).await;
    let url = format!("http://{}/api/orders", shop.command.address("api").await);
    let body = order(1, product, 1);
    let first = json(&client(), Method::POST, url, &body).header("x-request-id", "first-1");
    assert_eq!(Response::to(first).await.unwrap().status, 503);
    for responses in join_all((0..200).map(|_| commands(&shop, product))).await {
        assert!(responses.iter().all(|response| response.status == 503));
    }
    let log = shop.command.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("sqlstate=53100")).collect();
    // One in 10 s; the machine may be slow.
    assert!((1..=6).contains(&lines.len()), "{log}");
    assert!(lines[0].contains("The database has no space left."), "{}", lines[0]);
    assert!(lines[0].contains("request_id=first-1"), "{}", lines[0]);
    // The whole log is not much longer.
    assert!(log.lines().count() < 60, "{log}");
    shop.stop().await;
}

#[tokio::test]
async fn responses_that_do_not_come_are_unknown_and_one_line_that_names_the_request() {
    let servers = Servers::of_environment();
    let links = Links::to(&servers);
    links.open().await;
    let shop = Shop::spawn(&servers, links.ports(), None).await;
    shop.command.healthy().await;
    let product = shop.product("Tea", "5", 1_000).await;
    run(
        &shop,
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             PERFORM pg_sleep(2);
             RETURN NEW;
         END
         $$;
         CREATE TRIGGER wait BEFORE INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION wait()"
            .to_owned(),
    )
    .await;
    let url = format!("http://{}/api/orders", shop.command.address("api").await);
    let ordering = Response::to(
        json(&client(), Method::POST, url, &order(1, product, 1))
            .header("x-request-id", "silent-1"),
    );
    let creating = shop.post("/api/products", r#"{"name":"New","category":"Tea","price":1}"#);
    let silencing = async {
        let asleep = "SELECT count(*) FROM pg_stat_activity
                      WHERE datname = current_database() AND wait_event = 'PgSleep'";
        eventually(async || {
            let asleep = shop.databases.query_write(asleep).await;
            if asleep == 2 { Ok(()) } else { Err(asleep) }
        })
        .await;
        links.command_write.hold(Direction::ToClient).await;
    };
    let (ordered, created, ()) = tokio::join!(ordering, creating, silencing);
    for response in [ordered.unwrap(), created] {
        assert_eq!(
            (response.status, response.error()),
            (503, "Outcome unknown"),
            "{}",
            response.text
        );
    }
    let log = shop.command.log();
    let told = "the outcome of a command is unknown";
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(told)).collect();
    // The order's line is first; the other may follow more than 10 s later.
    assert!((1..=2).contains(&lines.len()), "{log}");
    assert!(lines[0].contains("no answer within 5 s"), "{}", lines[0]);
    assert!(lines[0].contains("request_id=silent-1"), "{}", lines[0]);
    links.open().await;
    shop.stop().await;
}

#[tokio::test]
async fn a_right_that_was_taken_away_is_told_until_it_is_back() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "5", 1_000).await;
    run(&shop, "REVOKE INSERT ON orders FROM command_service".to_owned()).await;
    let refused = shop.order(1, product, 1).await;
    assert_eq!((refused.status, refused.error()), (503, "Service unavailable"));
    health_is(&shop, 503, "The database role lacks a right.").await;
    // Health stays down without further commands: the service runs a probe.
    run(&shop, "GRANT INSERT ON orders TO command_service".to_owned()).await;
    health_is(&shop, 200, "").await;
    assert_eq!(shop.order(1, product, 1).await.status, 201);
    shop.stop().await;
}

#[tokio::test]
async fn a_right_to_read_that_was_taken_away_is_told_until_it_is_back() {
    let shop = Shop::start().await;
    shop.product("Tea", "5", 1_000).await;
    shop.caught_up().await;
    let read = async |sql: &'static str| {
        sqlx::raw_sql(sql).execute(&shop.databases.read).await.unwrap();
    };
    let health_is = async |status: u16| {
        eventually(async || {
            let health = shop.query.health().await;
            if health.status == status { Ok(()) } else { Err(health.text) }
        })
        .await;
    };
    read("REVOKE SELECT ON users_read FROM query_service").await;
    let refused = shop.get("/api/users").await;
    assert_eq!((refused.status, refused.error()), (503, "Service unavailable"));
    assert!(refused.text.contains("The database role lacks a right."), "{}", refused.text);
    health_is(503).await;
    assert!(shop.query.log().contains("sqlstate=42501"));
    read("GRANT SELECT ON users_read TO query_service").await;
    health_is(200).await;
    assert_eq!(shop.get("/api/users").await.status, 200);
    shop.stop().await;
}

#[tokio::test]
async fn a_pool_without_a_free_connection_is_told_until_there_is_one() {
    let shop = Shop::start_with(&[("COMMAND_DATABASE_CONNECTIONS", "1")]).await;
    let product = shop.product("Tea", "5", 1_000).await;
    // The only connection waits in a statement.
    run(
        &shop,
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             PERFORM pg_sleep(6);
             RETURN NEW;
         END
         $$;
         CREATE TRIGGER wait BEFORE INSERT ON users
         FOR EACH ROW WHEN (NEW.name = 'Slow') EXECUTE FUNCTION wait()"
            .to_owned(),
    )
    .await;
    let slow = shop.post("/api/users", r#"{"name":"Slow","email":"slow@example.com"}"#);
    let others = async {
        let asleep = "SELECT count(*) FROM pg_stat_activity
                      WHERE datname = current_database() AND wait_event = 'PgSleep'";
        eventually(async || {
            let asleep = shop.databases.query_write(asleep).await;
            if asleep == 1 { Ok(()) } else { Err(asleep) }
        })
        .await;
        let price = format!("/api/products/{product}/price");
        let refused = shop.command(Method::PUT, &price, r#"{"price":6}"#).await;
        assert_eq!((refused.status, refused.error()), (503, "Service unavailable"));
        let message = "No connection to the database was free within 3 s.";
        assert!(refused.text.contains(message), "{}", refused.text);
        health_is(&shop, 503, message).await;
    };
    let (slow, ()) = tokio::join!(slow, others);
    assert_eq!(slow.status, 201, "{}", slow.text);
    health_is(&shop, 200, "").await;
    shop.stop().await;
}
