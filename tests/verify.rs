//! `cargo stack verify` finds every wrong row of the views and reports no correct one, at any
//! moment.

use crate::harness::database::DEAD_LETTERS;
use crate::harness::{
    Databases, Response, Servers, Shop, assert_views_agree, eventually, execute, external_order,
    printed, program, verify,
};
use reqwest::Method;
use shared_events::views::{View, views};
use sqlx::AssertSqlSafe;
use std::cell::Cell;
use tokio::process::Command;
use uuid::Uuid;

async fn put(shop: &Shop, path: &str, body: &str) -> Response {
    let response = shop.command(Method::PUT, path, body).await;
    response.assert_status(200);
    response
}

async fn set_status(shop: &Shop, order: i64, status: &str) {
    shop.set_status(order, status).await.assert_status(200);
}

async fn refund(shop: &Shop, order: i64, body: &str) {
    shop.post(&format!("/api/orders/{order}/refunds"), body).await.assert_status(201);
}

async fn change(shop: &Shop, product: i64, body: &str) {
    put(shop, &format!("/api/products/{product}"), body).await;
}

async fn user(shop: &Shop, name: &str) -> i64 {
    shop.user(name, &format!("{}@example.com", Uuid::new_v4())).await.integer("userId")
}

async fn account(shop: &Shop, user: i64, zip: i32) {
    let body = format!(
        r#"{{"userId":{user},"address1":"1 \"Main\" St","city":"Łódź","state":"LD","zip":"{zip}"}}"#
    );
    shop.post("/api/accounts", &body).await.assert_status(201);
}

/// Commands of every kind. The first order is by customer 70 and for product 1.
async fn send_mixed_commands(shop: &Shop) {
    let tea = shop.product("Tea", "4.5000", 100).await;
    let mate = shop.product("zebra \\\"Mate\\\"", "0.0001", 100).await;
    change(shop, mate, r#"{"stock":null}"#).await;
    for customer in [70, 71] {
        shop.place_order(customer, tea, 2).await;
        let both = format!(
            r#"{{"customerId":{customer},"items":[{{"productId":{tea},"quantity":1}},
                {{"productId":{mate},"quantity":3,"price":7.10}},
                {{"productId":{tea},"quantity":2}}]}}"#
        );
        shop.post("/api/orders", &both).await.assert_status(201);
        let cancelled = shop.place_order(customer, tea, 4).await;
        set_status(shop, cancelled, "CANCELLED").await;
        let refunded = shop.place_order(customer, mate, 5).await;
        set_status(shop, refunded, "PAID").await;
        refund(shop, refunded, r#"{"amount":0.0003}"#).await;
        set_status(shop, refunded, "REFUNDED").await;
        let partly = shop.place_order(customer, tea, 3).await;
        set_status(shop, partly, "PAID").await;
        let unit = format!(r#"{{"items":[{{"productId":{tea},"quantity":1}}]}}"#);
        refund(shop, partly, &unit).await;
    }
    put(shop, &format!("/api/products/{tea}/price"), r#"{"price":5.25}"#).await;
    change(shop, mate, r#"{"category":"Ätherisches","stock":7}"#).await;
    let ada = user(shop, "Ada").await;
    user(shop, "Eva").await;
    account(shop, ada, 1).await;
    account(shop, ada, 2).await;
    let path = format!("/api/users/{ada}");
    shop.command(Method::PATCH, &path, r#"{"name":"Ada K"}"#).await.assert_status(200);
}

/// Columns that hold the id, the version or the time of an event. They are not compared.
fn is_compared(view: &str, column: &str) -> bool {
    let names_an_event = [
        "state_event",
        "account_event",
        "account_version",
        "created_version",
        "stock_moved_at",
        "event_id",
    ];
    let is_version_of_user = view == "users_read" && column == "state_version";
    !names_an_event.contains(&column) && column != "updated_at" && !is_version_of_user
}

/// Names and types of a relation's columns, except generated ones.
async fn columns(shop: &Shop, relation: &str) -> Vec<(String, String)> {
    sqlx::query_as(
        "SELECT column_name::text, data_type::text
         FROM information_schema.columns
         WHERE table_schema = 'public' AND table_name = $1 AND is_generated = 'NEVER'",
    )
    .bind(relation)
    .fetch_all(&shop.databases.read)
    .await
    .unwrap()
}

/// Changes every column of a view's first row, except the key.
async fn change_first_row(shop: &Shop, view: &View) {
    let mut assignments = Vec::new();
    for (column, data_type) in columns(shop, view.table).await {
        let value = match &*data_type {
            "bigint" | "numeric" => format!("coalesce({column}, 0) + 1"),
            "text" => format!("coalesce({column}, '') || 'x'"),
            "timestamp with time zone" => format!("coalesce({column}, now()) + interval '1 day'"),
            "boolean" => format!("NOT {column}"),
            "jsonb" => "'[]'".to_owned(),
            "uuid" => "gen_random_uuid()".to_owned(),
            other => panic!("{column} is of type {other}: add how to change such a value"),
        };
        if !view.key.contains(&&*column) {
            assignments.push(format!("{column} = {value}"));
        }
    }
    let (table, key) = (view.table, view.key.join(", "));
    let sql = format!(
        "UPDATE {table} SET {} WHERE ({key}) = (SELECT {key} FROM {table} ORDER BY {key} LIMIT 1)",
        assignments.join(", ")
    );
    let changed = sqlx::query(AssertSqlSafe(sql)).execute(&shop.databases.read).await.unwrap();
    assert_eq!(changed.rows_affected(), 1, "{table}");
}

#[tokio::test]
async fn every_column_of_every_view_is_verified() {
    let shop = Shop::start().await;
    send_mixed_commands(&shop).await;
    shop.caught_up().await;
    let output = verify(&shop.databases, &[]).await;
    let text = printed(&output);
    let events = shop.databases.query_write("SELECT count(*) FROM outbox").await;
    assert_eq!(output.status.code(), Some(0), "{text}");
    let agree = format!("verified: no difference in {} views (", views().count());
    assert!(text.starts_with(&agree), "{text}");
    assert!(text.ends_with(&format!(" rows) and {events} events\n")), "{text}");

    for view in views() {
        change_first_row(&shop, view).await;
    }
    let output = verify(&shop.databases, &["--patience", "1"]).await;
    let text = printed(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    for view in views() {
        let lines = text.lines().filter(|line| line.starts_with(&format!("{}, ", view.name)));
        let lines: Vec<&str> = lines.collect();
        for (column, _) in columns(&shop, view.name).await {
            let is_expected = is_compared(view.name, &column) && !view.key.contains(&&*column);
            let is_named =
                lines.iter().any(|line| line.contains(&format!(": {column}: expected ")));
            assert_eq!(is_named, is_expected, "{} {column} in\n{text}", view.name);
        }
    }
    let differ = format!("not verified: {} rows different\n", views().count());
    assert!(text.ends_with(&differ), "{text}");
    shop.stop().await;
}

#[tokio::test]
async fn differences_are_named_with_row_column_and_values() {
    let shop = Shop::start().await;
    send_mixed_commands(&shop).await;
    shop.caught_up().await;
    let read = &shop.databases.read;
    for sql in [
        "UPDATE product_sales_view SET total_revenue = total_revenue + 0.0001 WHERE product_id = 1",
        "DELETE FROM category_metrics_view WHERE category_name = 'Ätherisches'",
        "INSERT INTO hourly_sales_view (hour_timestamp) VALUES ('2001-01-01 05:00:00Z')",
        "UPDATE hourly_product_sales_view SET total_quantity = -1 WHERE product_id = 2",
        "UPDATE users_read SET zip = '1' WHERE name = 'Ada K'",
    ] {
        execute(read, sql).await;
    }
    let text = printed(&verify(&shop.databases, &["--patience", "0"]).await);
    for line in [
        "product_sales_view, product_id 1: total_revenue: expected 63.0000, found 63.0001\n",
        "category_metrics_view, category_name \"Ätherisches\": missing, expected \
         {\"category_name\":\"Ätherisches\",\"total_revenue\":0.0000,",
        "hourly_sales_view, hour_timestamp \"2001-01-01T05:00:00+00:00\": unexpected, found {",
        "product_id 2: total_quantity: expected 6, found -1\n",
        "zip: expected \"2\", found \"1\"\n",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }

    execute(read, "ALTER TABLE orders_read ADD COLUMN is_gift BOOLEAN").await;
    let output = verify(&shop.databases, &[]).await;
    let text = printed(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("orders_read has the column is_gift, which "), "{text}");
    shop.stop().await;
}

#[tokio::test]
async fn events_missing_in_the_views_or_in_the_outbox_are_reported() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "4.5", 100).await;
    let order = shop.place_order(7, product, 1).await;
    set_status(&shop, order, "PAID").await;
    shop.caught_up().await;
    let read = &shop.databases.read;
    execute(
        read,
        "INSERT INTO processed_events (event_id, counted)
         VALUES ('0190a000-0000-7000-8000-00000000002a', TRUE)",
    )
    .await;
    let text = printed(&verify(&shop.databases, &["--patience", "1"]).await);
    assert_eq!(
        text,
        "event 0190a000-0000-7000-8000-00000000002a: processed on the read side, but not in the \
         outbox\nnot verified: 1 event not in the outbox\n"
    );

    // An event that is applied and not recorded: the view contains too much.
    let delete =
        "DELETE FROM processed_events WHERE event_id = (SELECT state_event FROM orders_read)";
    execute(read, delete).await;
    let text = printed(&verify(&shop.databases, &["--patience", "0"]).await);
    for line in [
        "orders_read, order_id 1: state_version: expected 1, found 2\n",
        "orders_read, order_id 1: status: expected \"CREATED\", found \"PAID\"\n",
        " (order-events OrderStatusUpdated, committed ",
        " ago): not in the views\n",
        "not verified: 1 row different, 1 event not in the views, 1 event not in the outbox\n",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }

    let change = "DELETE FROM order_items; UPDATE orders SET version = 5, refunded_total = 1";
    execute(&shop.databases.write, change).await;
    let text = printed(&verify(&shop.databases, &["--patience", "0"]).await);
    for line in [
        "write database, order 1: events in the outbox: expected 5, found 2\n",
        "write database, order 1: total: expected lines, found 4.5000\n",
        "write database, order 1: refunded of its lines: expected 1.0000, found 0\n",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
    shop.stop().await;
}

#[tokio::test]
async fn the_comparison_is_exact_under_load() {
    let shop = Shop::start().await;
    send_mixed_commands(&shop).await;
    let (done, hot) = (Cell::new(false), shop.product("Hot", "1", 1_000_000).await);
    let load = async |client: i64| {
        let mut rounds = 0;
        while !done.get() {
            let order = shop.place_order(client, hot, 3).await;
            rounds += 1;
            match rounds % 5 {
                0 => set_status(&shop, order, "CANCELLED").await,
                1 => {
                    set_status(&shop, order, "PAID").await;
                    refund(&shop, order, r#"{"amount":0.5}"#).await;
                    set_status(&shop, order, "REFUNDED").await;
                }
                2 => change(&shop, hot, &format!(r#"{{"name":"Hot {rounds}"}}"#)).await,
                3 => change(&shop, hot, &format!(r#"{{"stock":{}}}"#, 1_000_000 + rounds)).await,
                _ => account(&shop, user(&shop, "Eva").await, rounds).await,
            }
        }
        rounds
    };
    let runs = async {
        let mut in_transit = 0;
        for _ in 0..10 {
            // Without a retry, events may be in transit, but no row is wrong.
            let text = printed(&verify(&shop.databases, &["--patience", "0"]).await);
            let wrong = text.contains("different") || text.contains("not in the outbox");
            assert!(!wrong, "{text}");
            in_transit += i32::from(text.contains("not in the views"));
        }
        for _ in 0..3 {
            let output = verify(&shop.databases, &[]).await;
            assert_eq!(output.status.code(), Some(0), "{}", printed(&output));
        }
        done.set(true);
        in_transit
    };
    let (in_transit, first, second, third) = tokio::join!(runs, load(71), load(72), load(73));
    assert!(in_transit > 0 && first.min(second).min(third) > 5, "too little load");
    shop.stop().await;
}

#[tokio::test]
async fn a_backlog_is_reported_as_missing_events_and_not_as_wrong_rows() {
    let mut shop = Shop::start().await;
    send_mixed_commands(&shop).await;
    shop.caught_up().await;
    shop.consumer.kill();
    send_mixed_commands(&shop).await;
    set_status(&shop, 1, "CANCELLED").await;
    change(&shop, 1, r#"{"name":"Green tea","category":"Green","price":1,"stock":3}"#).await;
    account(&shop, 1, 3).await;
    let output = verify(&shop.databases, &["--patience", "1", "--differences", "3"]).await;
    let text = printed(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let events = text.lines().filter(|line| line.ends_with("ago): not in the views"));
    assert_eq!(events.count(), 3, "{text}");
    assert!(text.contains("events that are not in the views: … and "), "{text}");
    assert!(!text.contains("different"), "{text}");
    shop.consumer.restart();
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}

/// Makes the read database refuse one name, one status and one customer.
const REFUSE: &str = "
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'refused' USING ERRCODE = '22000';
    END
    $$;
    CREATE TRIGGER refuse BEFORE INSERT ON products_read
    FOR EACH ROW WHEN (NEW.name LIKE 'Refused%') EXECUTE FUNCTION refuse();
    CREATE TRIGGER refuse BEFORE INSERT ON users_read
    FOR EACH ROW WHEN (NEW.name LIKE 'Refused%') EXECUTE FUNCTION refuse();
    CREATE TRIGGER refuse BEFORE INSERT ON orders_read
    FOR EACH ROW WHEN (NEW.status = 'PAID' OR NEW.customer_id = 13) EXECUTE FUNCTION refuse()";

/// Waits until every event is applied or a dead letter, and there are this many of these.
async fn wait_for_dead_letters(shop: &Shop, expected: i64) {
    eventually(async || {
        let letters = shop.databases.query_read(DEAD_LETTERS).await;
        let applied = shop.databases.query_read("SELECT count(*) FROM processed_events").await;
        let committed = shop.databases.query_write("SELECT count(*) FROM outbox").await;
        let done = letters == expected && letters + applied == committed;
        if done { Ok(()) } else { Err(format!("{letters} and {applied} of {committed}")) }
    })
    .await;
}

#[tokio::test]
async fn dead_letters_are_reported_independently_of_later_events() {
    let shop = Shop::start().await;
    let products = [shop.product("Tea", "4.5", 100).await, shop.product("Mate", "2", 100).await];
    let users = [user(&shop, "Ada").await, user(&shop, "Eva").await];
    let orders =
        [shop.place_order(7, products[0], 2).await, shop.place_order(7, products[1], 3).await];
    wait_for_dead_letters(&shop, 0).await;

    execute(&shop.databases.read, REFUSE).await;
    for product in products {
        let refused = r#"{"name":"Refused","category":"Other","price":9,"stock":50}"#;
        change(&shop, product, refused).await;
    }
    for user in users {
        let path = format!("/api/users/{user}");
        let renamed = shop.command(Method::PATCH, &path, r#"{"name":"Refused"}"#).await;
        assert_eq!(renamed.status, 200);
    }
    user(&shop, "Refused").await;
    for order in orders {
        set_status(&shop, order, "PAID").await;
    }
    let placed = [shop.place_order(13, products[0], 4).await, shop.place_order(13, 1, 5).await];
    shop.post("/api/products", r#"{"name":"Refused too","category":"New","price":1}"#).await;
    wait_for_dead_letters(&shop, 10).await;

    // Later events of the same aggregates, for half of them.
    execute(&shop.databases.read, "DROP FUNCTION refuse() CASCADE").await;
    change(&shop, products[0], r#"{"name":"Green tea","stock":60}"#).await;
    account(&shop, users[0], 1).await;
    set_status(&shop, orders[0], "CANCELLED").await;
    set_status(&shop, placed[0], "CANCELLED").await;
    shop.place_order(13, products[1], 1).await;
    wait_for_dead_letters(&shop, 10).await;

    let text = printed(&verify(&shop.databases, &["--patience", "0"]).await);
    let reported = text.lines().filter(|line| line.contains("): dead letter "));
    assert_eq!(reported.count(), 10, "{text}");
    assert!(text.ends_with("not verified: 10 events not in the views\n"), "{text}");
    shop.stop().await;
}

#[tokio::test]
async fn an_external_event_is_reported_as_the_possible_cause() {
    let shop = Shop::start().await;
    shop.broker.publish("order-events", &[external_order(900).into_bytes()]).await;
    shop.databases.wait_for_read("SELECT count(*) FROM orders_read", 1).await;
    let output = verify(&shop.databases, &["--patience", "0"]).await;
    let text = printed(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("orders_read, order_id 900: unexpected, found {"), "{text}");
    assert!(
        text.contains(
            "\nnote: 1 external event is in the views and explains differences in the rows that it \
             changed\n"
        ),
        "{text}"
    );
    shop.stop().await;
}

#[tokio::test]
async fn an_unreachable_database_is_reported_with_another_exit_code() {
    let databases = Databases::create(&Servers::of_environment()).await;
    let output = Command::new(program("verify"))
        .args(["--database-url", "postgres://nobody@127.0.0.1:1/nothing"])
        .args(["--read-database-url", &databases.urls()[1]])
        .output()
        .await
        .unwrap();
    let text = printed(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.starts_with("error: cannot reach the write database at 127.0.0.1:1 ("), "{text}");
    let output = verify(&databases, &[]).await;
    let text = printed(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("is it migrated?"), "{text}");
    databases.delete().await;
}
