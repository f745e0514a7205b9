//! Database errors: client, health and log get the reason, a known outcome is never reported
//! as unknown, and the service recovers without a restart.

use crate::harness::database::SLEEPING;
use crate::harness::{Direction, Response, Shop, assert_views_agree, execute, order};
use futures::future::join_all;

/// Makes commands fail with an SQLSTATE, in the statement or at COMMIT.
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
    execute(&shop.databases.write, &sql).await;
}

async fn repair_writes(shop: &Shop) {
    execute(&shop.databases.write, "DROP TRIGGER broken ON outbox").await;
}

/// Places an order and creates a product.
async fn send_commands(shop: &Shop, product: i64) -> [Response; 2] {
    let body = r#"{"name":"New","category":"Tea","price":1}"#;
    let (ordered, created) =
        tokio::join!(shop.order(1, product, 1), shop.post("/api/products", body));
    [ordered, created]
}

/// Waits until the command service reports this status, with the reason at `commands`.
async fn wait_for_health(shop: &Shop, status: u16, reason: &str) {
    shop.command
        .wait_for_health(|health| {
            let detail = health.body["commands"]["detail"].as_str().unwrap_or_default();
            health.status == status && detail == reason
        })
        .await;
}

/// The lines of the command service's log that contain a text, and the whole log.
fn lines_with(shop: &Shop, text: &str) -> (Vec<String>, String) {
    let log = shop.command.log();
    let lines = log.lines().filter(|line| line.contains(text)).map(str::to_owned).collect();
    (lines, log)
}

#[tokio::test]
async fn a_database_error_is_reported_with_its_reason_and_never_as_unknown() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "5", 1_000).await;
    for (sqlstate, message) in [
        ("53100", "The database has no space left."),
        ("53300", "The database has no free connection."),
        ("53200", "The database is out of memory or at a configured limit."),
        ("42501", "The database role lacks a privilege."),
        ("42P01", "The database is not migrated."),
        ("25006", "The database is read-only."),
        ("58030", "The database cannot read or write its files."),
    ] {
        for at_commit in [false, true] {
            break_writes(&shop, sqlstate, at_commit).await;
            for response in send_commands(&shop, product).await {
                response.assert_refused(503, "Service unavailable");
                let detail = response.body["detail"].as_str().unwrap();
                assert_eq!(detail, format!("{message} The request had no effect."));
            }
            wait_for_health(&shop, 503, message).await;
            repair_writes(&shop).await;
            wait_for_health(&shop, 200, "").await;
        }
    }
    // Failures that affect only one request do not change health.
    for (sqlstate, error, message) in [
        ("57014", "Service unavailable", "The database cancelled the statement"),
        ("40001", "Service busy", "Another transaction holds a lock that the request needs."),
    ] {
        break_writes(&shop, sqlstate, true).await;
        for response in send_commands(&shop, product).await {
            response.assert_refused(503, error);
            assert!(response.text.contains(message), "{}", response.text);
        }
        shop.command.health().await.assert_status(200);
        repair_writes(&shop).await;
    }
    assert_eq!(shop.databases.query_write("SELECT count(*) FROM orders").await, 0);
    shop.place_order(1, product, 1).await;
    shop.caught_up().await;
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}

#[tokio::test]
async fn the_outcome_is_unknown_if_the_session_ends_during_commit() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "5", 1_000).await;
    execute(
        &shop.databases.write,
        "CREATE FUNCTION end_session() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             PERFORM pg_terminate_backend(pg_backend_pid());
             RETURN NULL;
         END
         $$;
         CREATE CONSTRAINT TRIGGER end_session AFTER INSERT ON outbox
         DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION end_session()",
    )
    .await;
    for response in send_commands(&shop, product).await {
        response.assert_refused(503, "Outcome unknown");
    }
    let (lines, log) = lines_with(&shop, "the outcome of a command is unknown");
    assert_eq!(lines.len(), 1, "{log}");
    shop.stop().await;
}

#[tokio::test]
async fn repeated_failures_are_logged_once_with_the_request_id() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "5", 1_000).await;
    break_writes(&shop, "53100", false).await;
    let headers = [("x-request-id", "first-1")];
    shop.post_with("/api/orders", &order(1, product, 1), &headers).await.assert_status(503);
    for responses in join_all((0..200).map(|_| send_commands(&shop, product))).await {
        assert!(responses.iter().all(|response| response.status == 503));
    }
    let (lines, log) = lines_with(&shop, "sqlstate=53100");
    // The limit is one line in 10 s. The machine may be slow.
    assert!((1..=6).contains(&lines.len()), "{log}");
    assert!(lines[0].contains("The database has no space left."), "{}", lines[0]);
    assert!(lines[0].contains("request_id=first-1"), "{}", lines[0]);
    // The whole log is not much longer.
    assert!(log.lines().count() < 60, "{log}");
    shop.stop().await;
}

#[tokio::test]
async fn the_outcome_is_unknown_if_the_database_does_not_respond() {
    let (shop, links) = Shop::start_with_links().await;
    let product = shop.product("Tea", "5", 1_000).await;
    shop.databases.delay_writes("outbox", "true", 2.0).await;
    let body = order(1, product, 1);
    let headers = [("x-request-id", "silent-1")];
    let ordering = shop.post_with("/api/orders", &body, &headers);
    let creating = shop.post("/api/products", r#"{"name":"New","category":"Tea","price":1}"#);
    let silencing = async {
        shop.databases.wait_for_write(SLEEPING, 2).await;
        links.command_write.hold(Direction::ToClient).await;
    };
    let (ordered, created, ()) = tokio::join!(ordering, creating, silencing);
    for response in [ordered, created] {
        response.assert_refused(503, "Outcome unknown");
    }
    let (lines, log) = lines_with(&shop, "the outcome of a command is unknown");
    // The line about the order is first. That about the product is suppressed unless it
    // follows more than 10 s later.
    assert!((1..=2).contains(&lines.len()), "{log}");
    assert!(lines[0].contains("no response within 5 s"), "{}", lines[0]);
    assert!(lines[0].contains("request_id=silent-1"), "{}", lines[0]);
    links.open().await;
    shop.stop().await;
}

#[tokio::test]
async fn a_revoked_write_privilege_is_reported_until_it_is_granted() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "5", 1_000).await;
    execute(&shop.databases.write, "REVOKE INSERT ON orders FROM command_service").await;
    shop.order(1, product, 1).await.assert_refused(503, "Service unavailable");
    wait_for_health(&shop, 503, "The database role lacks a privilege.").await;
    // The service probes the database, so health recovers without a command.
    execute(&shop.databases.write, "GRANT INSERT ON orders TO command_service").await;
    wait_for_health(&shop, 200, "").await;
    shop.place_order(1, product, 1).await;
    shop.stop().await;
}

#[tokio::test]
async fn a_revoked_read_privilege_is_reported_until_it_is_granted() {
    let shop = Shop::start().await;
    shop.product("Tea", "5", 1_000).await;
    shop.caught_up().await;
    execute(&shop.databases.read, "REVOKE SELECT ON users_read FROM query_service").await;
    let refused = shop.get("/api/users").await;
    refused.assert_refused(503, "Service unavailable");
    assert!(refused.text.contains("The database role lacks a privilege."), "{}", refused.text);
    shop.query.wait_for_health(|health| health.status == 503).await;
    assert!(shop.query.log().contains("sqlstate=42501"));
    execute(&shop.databases.read, "GRANT SELECT ON users_read TO query_service").await;
    shop.query.healthy().await;
    shop.get("/api/users").await.assert_status(200);
    shop.stop().await;
}

#[tokio::test]
async fn an_exhausted_connection_pool_is_reported_until_a_connection_is_free() {
    let shop = Shop::start_with(&[("COMMAND_DATABASE_CONNECTIONS", "1")]).await;
    let product = shop.product("Tea", "5", 1_000).await;
    // A slow statement occupies the only connection.
    shop.databases.delay_writes("users", "NEW.name = 'Slow'", 6.0).await;
    let others = async {
        shop.databases.wait_for_write(SLEEPING, 1).await;
        let refused = shop.set_price(product, 6.0).await;
        refused.assert_refused(503, "Service unavailable");
        let message = "No connection to the database was free within 3 s.";
        assert!(refused.text.contains(message), "{}", refused.text);
        wait_for_health(&shop, 503, message).await;
    };
    let (slow, ()) = tokio::join!(shop.user("Slow", "slow@example.com"), others);
    slow.assert_status(201);
    wait_for_health(&shop, 200, "").await;
    shop.stop().await;
}
