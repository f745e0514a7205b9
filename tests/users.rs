//! Users: one per e-mail address, nobody inherits a stranger's orders, and the
//! views show them as they are now.

use crate::harness::{Shop, assert_views_agree, eventually, order};
use futures::future::join_all;
use reqwest::Method;
use serde_json::json;

fn user(email: &str) -> String {
    format!(r#"{{"name":"Ada","email":"{email}"}}"#)
}

#[tokio::test]
async fn an_email_address_has_one_user_however_it_is_written_and_whoever_is_faster() {
    let shop = Shop::start().await;
    let spellings = ["ada@example.com", "ADA@example.com", "Ada@Example.COM"];
    let attempts = (0..30)
        .map(async |number: usize| shop.post("/api/users", &user(spellings[number % 3])).await);
    let responses = join_all(attempts).await;
    let created = responses.iter().filter(|response| response.status == 201).count();
    assert_eq!(created, 1);
    for refused in responses.iter().filter(|response| response.status != 201) {
        assert_eq!((refused.status, refused.error()), (409, "Email already taken"));
    }
    let other = shop.post("/api/users", &user("eva@example.com")).await.integer("id");
    let path = format!("/api/users/{other}");
    let refused = shop.command(Method::PATCH, &path, r#"{"email":"aDa@example.com"}"#).await;
    assert_eq!((refused.status, refused.error()), (409, "Email already taken"));
    let own = shop.command(Method::PATCH, &path, r#"{"email":"EVA@example.com"}"#).await;
    assert_eq!((own.status, &own.body["email"]), (200, &json!("EVA@example.com")));
    shop.caught_up().await;
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}

#[tokio::test]
async fn no_user_inherits_the_orders_of_a_stranger() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "1", 1_000_000).await;
    // Strangers order under ids that are nobody's yet, and users sign up.
    let sign_ups = (0..40).map(async |number| {
        let created = shop.post("/api/users", &user(&format!("{number}@example.com"))).await;
        assert_eq!(created.status, 201, "{}", created.text);
        created.integer("id")
    });
    let orders = (1..=60).map(async |customer| {
        let placed = shop.post("/api/orders", &order(customer, product, 1)).await;
        assert_eq!(placed.status, 201, "{}", placed.text);
    });
    let (ids, _) = tokio::join!(join_all(sign_ups), join_all(orders));
    // Every user is a customer whom their own sign-up made, not an order.
    let inherited = "SELECT count(*) FROM users
                     JOIN customers USING (id)
                     WHERE customers.name IS NULL OR customers.created_at <> users.created_at";
    assert_eq!(shop.databases.query_write(inherited).await, 0);

    // An order by a user's id is that customer's.
    let placed = shop.post("/api/orders", &order(ids[0], product, 5)).await;
    assert_eq!(placed.status, 201);
    shop.caught_up().await;
    let path = format!("/api/analytics/customers/{}/lifetime-value", ids[0]);
    assert!(shop.get(&path).await.integer("orderCount") >= 1);
    // Beyond a long run of customers as well, and below the highest id there is.
    let run = "INSERT INTO customers (id) SELECT generate_series(1, 300000) ON CONFLICT DO NOTHING";
    sqlx::raw_sql(run).execute(&shop.databases.write).await.unwrap();
    let highest = order(i64::MAX, product, 1);
    assert_eq!(shop.post("/api/orders", &highest).await.status, 201);
    let late = (0..20).map(async |number: usize| {
        let sign_up = user(&format!("late-{number}@example.com"));
        let created = eventually(async || {
            let created = shop.post("/api/users", &sign_up).await;
            // One sign-up searches for the end of the run. On a busy machine the others
            // may wait for it longer than the lock timeout: they are told to try again.
            if created.status == 503 { Err(created.text) } else { Ok(created) }
        })
        .await;
        assert_eq!(created.status, 201, "{}", created.text);
        created.integer("id")
    });
    let ids = join_all(late).await;
    assert!(ids.iter().all(|id| (300_001..300_100).contains(id)), "{ids:?}");
    shop.caught_up().await;
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}

#[tokio::test]
async fn a_user_is_shown_as_they_are_now_with_the_newest_address() {
    let shop = Shop::start().await;
    let created = shop.post("/api/users", &user("ada@example.com")).await;
    let id = created.integer("id");
    assert_eq!(created.headers["location"], format!("/api/users/{id}"));
    let account = |street: &str| {
        format!(
            r#"{{"userId":{id},"address1":"{street}","city":"Ely","state":"MN","zip":"55731"}}"#
        )
    };
    // Of several at once, too, the newest is the address.
    let bodies: Vec<String> = (1..=9).map(|number| account(&format!("{number} Main St"))).collect();
    let opened = join_all(bodies.iter().map(|body| shop.post("/api/accounts", body))).await;
    let newest = opened.iter().max_by_key(|account| account.integer("id")).unwrap();
    assert_eq!((newest.status, &newest.body["status"]), (201, &json!("open")));
    let renamed = shop.command(Method::PATCH, "/api/users/1", r#"{"name":"Ada King"}"#).await;
    assert_eq!(renamed.status, 200);
    shop.caught_up().await;
    let shown = shop.get(&format!("/api/users/{id}")).await.body;
    assert_eq!((&shown["name"], &shown["email"]), (&json!("Ada King"), &json!("ada@example.com")));
    assert_eq!(shown["address"]["address1"], newest.body["address1"]);
    let nobody = shop.get("/api/analytics/customers/1/lifetime-value").await;
    assert_eq!((nobody.status, &nobody.body["lastOrderDate"]), (200, &json!(null)));
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}

#[tokio::test]
async fn an_invoice_is_for_whoever_the_user_is_now_without_what_was_cancelled() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "4.5", 100).await;
    let id = shop.post("/api/users", &user("old@example.com")).await.integer("id");
    let mut orders = Vec::new();
    for quantity in [1, 2, 3] {
        orders.push(shop.order(id, product, quantity).await);
    }
    let invoice = async |placed: &str| {
        let (year, month) = (&placed[..4], placed[5..7].trim_start_matches('0'));
        shop.get(&format!("/api/invoices?userId={id}&month={month}&year={year}")).await
    };
    let month = orders[0].body["createdAt"].as_str().unwrap().to_owned();
    shop.caught_up().await;
    let first = invoice(&month).await.body;
    assert_eq!((&first["total"], &first["email"]), (&json!(27), &json!("old@example.com")));
    assert_eq!(first["shippingAddress"], json!(null));

    // All of that after the orders.
    let body = format!(
        r#"{{"userId":{id},"address1":"1 Main St","city":"Ely","state":"MN","zip":"55731"}}"#
    );
    assert_eq!(shop.post("/api/accounts", &body).await.status, 201);
    let path = format!("/api/users/{id}");
    shop.command(Method::PATCH, &path, r#"{"email":"new@example.com"}"#).await;
    let cancelled = format!("/api/orders/{}/status", orders[1].integer("id"));
    shop.command(Method::PUT, &cancelled, r#"{"status":"CANCELLED"}"#).await;
    let changed = eventually(async || {
        let invoice = invoice(&month).await;
        let is_new = invoice.body["email"] == "new@example.com"
            && invoice.body["shippingAddress"] == "1 Main St, Ely, MN 55731"
            && invoice.body["orders"].as_array().is_some_and(|orders| orders.len() == 2);
        if is_new { Ok(invoice.body) } else { Err(invoice.text) }
    })
    .await;
    assert_eq!((&changed["invoiceId"], &changed["total"]), (&first["invoiceId"], &json!(18)));
    assert_eq!(changed["orders"][1]["description"], "3 × A Tea");
    shop.stop().await;
}
