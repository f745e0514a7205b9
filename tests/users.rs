//! Users: each email address has one user, a new user has no earlier orders, and the views
//! show current data.

use crate::harness::{Shop, account, assert_views_agree, eventually, execute};
use futures::future::join_all;
use reqwest::Method;
use serde_json::json;

fn user(email: &str) -> String {
    format!(r#"{{"name":"Ada","email":"{email}"}}"#)
}

#[tokio::test]
async fn an_email_address_has_one_user_in_any_spelling_and_concurrently() {
    let shop = Shop::start().await;
    let spellings = ["ada@example.com", "ADA@example.com", "Ada@Example.COM"];
    let attempts = (0..30)
        .map(async |number: usize| shop.post("/api/users", &user(spellings[number % 3])).await);
    let responses = join_all(attempts).await;
    let created = responses.iter().filter(|response| response.status == 201).count();
    assert_eq!(created, 1);
    for refused in responses.iter().filter(|response| response.status != 201) {
        refused.assert_refused(409, "Email already taken");
    }
    let other = shop.post("/api/users", &user("eva@example.com")).await.integer("id");
    let path = format!("/api/users/{other}");
    let refused = shop.command(Method::PATCH, &path, r#"{"email":"aDa@example.com"}"#).await;
    refused.assert_refused(409, "Email already taken");
    let own = shop.command(Method::PATCH, &path, r#"{"email":"EVA@example.com"}"#).await;
    assert_eq!((own.status, &own.body["email"]), (200, &json!("EVA@example.com")));
    shop.caught_up().await;
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}

#[tokio::test]
async fn a_new_user_has_no_earlier_orders() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "1", 1_000_000).await;
    // Orders use customer ids without a user, while users are created.
    let users = (0..40).map(async |number| {
        let created = shop.post("/api/users", &user(&format!("{number}@example.com"))).await;
        created.assert_status(201);
        created.integer("id")
    });
    let orders = (1..=60).map(async |customer| {
        shop.place_order(customer, product, 1).await;
    });
    let (ids, _) = tokio::join!(join_all(users), join_all(orders));
    // The customer of a user was created with the user, not by an order.
    let inherited = "SELECT count(*) FROM users
                     JOIN customers USING (id)
                     WHERE customers.name IS NULL OR customers.created_at <> users.created_at";
    assert_eq!(shop.databases.query_write(inherited).await, 0);

    // An order with a user's id belongs to that user.
    shop.place_order(ids[0], product, 5).await;
    shop.caught_up().await;
    let path = format!("/api/analytics/customers/{}/lifetime-value", ids[0]);
    assert!(shop.get(&path).await.integer("orderCount") >= 1);
    // The same after a long range of existing customers, and below the highest id.
    let range =
        "INSERT INTO customers (id) SELECT generate_series(1, 300000) ON CONFLICT DO NOTHING";
    execute(&shop.databases.write, range).await;
    shop.place_order(i64::MAX, product, 1).await;
    let late = (0..20).map(async |number: usize| {
        let body = user(&format!("late-{number}@example.com"));
        let created = eventually(async || {
            // One request searches for the end of the range. On a busy machine the others may
            // run into the lock timeout: try again.
            shop.post("/api/users", &body).await.ok_if(|created| created.status != 503)
        })
        .await;
        created.assert_status(201);
        created.integer("id")
    });
    let ids = join_all(late).await;
    assert!(ids.iter().all(|id| (300_001..300_100).contains(id)), "{ids:?}");
    shop.caught_up().await;
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}

#[tokio::test]
async fn a_user_has_current_data_and_the_newest_address() {
    let shop = Shop::start().await;
    let created = shop.post("/api/users", &user("ada@example.com")).await;
    let id = created.integer("id");
    assert_eq!(created.headers["location"], format!("/api/users/{id}"));
    // The newest of several concurrent accounts is the address.
    let bodies: Vec<String> =
        (1..=9).map(|number| account(id, &format!("{number} Main St"))).collect();
    let opened = join_all(bodies.iter().map(|body| shop.post("/api/accounts", body))).await;
    let newest = opened.iter().max_by_key(|account| account.integer("id")).unwrap();
    assert_eq!((newest.status, &newest.body["status"]), (201, &json!("open")));
    let renamed = shop.command(Method::PATCH, "/api/users/1", r#"{"name":"Ada King"}"#).await;
    assert_eq!(renamed.status, 200);
    shop.caught_up().await;
    let shown = shop.get(&format!("/api/users/{id}")).await.body;
    assert_eq!((&shown["name"], &shown["email"]), (&json!("Ada King"), &json!("ada@example.com")));
    assert_eq!(shown["address"]["address1"], newest.body["address1"]);
    let value = shop.get("/api/analytics/customers/1/lifetime-value").await;
    assert_eq!((value.status, &value.body["lastOrderDate"]), (200, &json!(null)));
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}

#[tokio::test]
async fn an_invoice_has_current_user_data_and_no_cancelled_orders() {
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

    // These changes follow the orders.
    shop.post("/api/accounts", &account(id, "1 Main St")).await.assert_status(201);
    let path = format!("/api/users/{id}");
    shop.command(Method::PATCH, &path, r#"{"email":"new@example.com"}"#).await;
    shop.set_status(orders[1].integer("id"), "CANCELLED").await.assert_status(200);
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
