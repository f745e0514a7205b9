//! Tests external events with a database.

use crate::apply::apply;
use crate::apply::database_tests::{ours, seen};
use crate::decoded_message::{DecodedMessage, RawMessage};
use crate::projections::sample_events::{line, order, product};
use crate::test_database::value;
use shared_events::{Event, Topic};
use sqlx::PgPool;

const ORDER: &str = r#"{"eventType":"OrderCreated","eventId":"e-1",
    "timestamp":"2026-01-01T10:30:00","orderId":900,"customerId":9,
    "items":[{"productId":77,"quantity":2,"price":1.25}]}"#;
const PRODUCT: &str = r#"{"eventType":"ProductCreated","eventId":"p-1",
    "timestamp":"2026-01-01T10:00:00","productId":77,"name":"Mate","category":"Drinks",
    "price":1.25,"stock":10}"#;

/// An external event with changes to its text.
fn external(body: &str, changes: &[(&str, &str)]) -> DecodedMessage {
    let mut text = body.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    let topic = if text.contains("ProductCreated") { Topic::Products } else { Topic::Orders };
    let message = RawMessage { body: text.into_bytes(), ..RawMessage::default() };
    DecodedMessage::decode(topic, message, shared_events::now())
}

async fn apply_all(pool: &PgPool, deliveries: &[DecodedMessage]) {
    for delivery in deliveries {
        apply(pool, std::slice::from_ref(delivery)).await.unwrap();
    }
}

async fn orders_of(pool: &PgPool, customer: i64) -> i64 {
    let sql = "SELECT coalesce(sum(order_count), 0)::bigint FROM customer_ltv_view
               WHERE customer_id = ";
    value(pool, &format!("{sql}{customer}")).await
}

async fn stock(pool: &PgPool) -> i64 {
    value(pool, "SELECT stock::bigint FROM products_read_view WHERE product_id = 77").await
}

async fn reasons(pool: &PgPool) -> Vec<String> {
    let reasons = "SELECT coalesce(array_agg(reason ORDER BY id), '{}') FROM dead_letters";
    value(pool, reasons).await
}

/// Asserts that there is one dead letter whose reason starts with this text.
async fn assert_one_dead_letter(pool: &PgPool, begins: &str) {
    let reasons = reasons(pool).await;
    assert!(reasons.len() == 1 && reasons[0].starts_with(begins), "{reasons:?}");
}

/// Our own order with this id.
fn own_order(order_id: i64) -> Event {
    order(order_id, 7, vec![line(77, "Drinks", 1, "1.25")])
}

#[sqlx::test(migrator = "crate::MIGRATIONS")]
async fn order_lines_get_name_and_category_from_the_catalogue(pool: PgPool) {
    apply_all(&pool, &[external(PRODUCT, &[]), external(ORDER, &[])]).await;
    let items: serde_json::Value = value(&pool, "SELECT items FROM orders_read").await;
    assert_eq!(
        (&items[0]["productName"], &items[0]["category"]),
        (&"Mate".into(), &"Drinks".into())
    );
    let named = [
        ("\"e-1\"", "\"e-2\""),
        ("900", "901"),
        ("\"quantity\"", "\"category\":\"Tea\",\"quantity\""),
    ];
    apply_all(&pool, &[external(ORDER, &named)]).await;
    let sold = "SELECT total_orders FROM category_metrics_view WHERE category_name = ";
    assert_eq!(value::<i64>(&pool, &format!("{sold}'Drinks'")).await, 1);
    assert_eq!(value::<i64>(&pool, &format!("{sold}'Tea'")).await, 1);
    assert_eq!((reasons(&pool).await.len(), stock(&pool).await), (0, 6));
}

#[sqlx::test(migrator = "crate::MIGRATIONS")]
async fn an_order_of_an_unknown_product_is_a_dead_letter_until_the_product_exists(pool: PgPool) {
    // Twice in one batch, with an event of our own.
    let batch = [external(ORDER, &[]), ours(own_order(1)), external(ORDER, &[])];
    apply(&pool, &batch).await.unwrap();
    assert_one_dead_letter(&pool, "items[0].productId: product 77 is not known").await;
    assert_eq!((orders_of(&pool, 7).await, orders_of(&pool, 9).await), (1, 0));
    apply_all(&pool, &[external(PRODUCT, &[]), external(ORDER, &[])]).await;
    assert_eq!((orders_of(&pool, 9).await, reasons(&pool).await.len()), (1, 0));
}

#[sqlx::test(migrator = "crate::MIGRATIONS")]
async fn an_event_id_identifies_one_content(pool: PgPool) {
    let copy = external(PRODUCT, &[("\"price\":1.25", "\"price\": \"1.250\"")]);
    let other = external(PRODUCT, &[("\"stock\":10", "\"stock\":11")]);
    apply_all(&pool, &[external(PRODUCT, &[]), copy, other.clone(), other]).await;
    assert_one_dead_letter(&pool, "Event id ").await;
    assert_eq!(stock(&pool).await, 10);
    // An unreadable event with a used id is also stored.
    let bad = external(PRODUCT, &[("\"stock\":10", "\"stock\":-1")]);
    apply_all(&pool, &[bad.clone(), bad]).await;
    assert_eq!(reasons(&pool).await.len(), 2);
    // Two unreadable events are two dead letters.
    let bad = |price| external(ORDER, &[("1.25", price)]);
    apply_all(&pool, &[bad("-1"), bad("-2"), bad("-1")]).await;
    assert_eq!(reasons(&pool).await.len(), 4);
}

#[sqlx::test(migrator = "crate::MIGRATIONS")]
async fn an_aggregate_created_twice_by_external_events_counts_once(pool: PgPool) {
    let again = |body, id| external(body, &[("-1\"", id)]);
    apply_all(&pool, &[external(PRODUCT, &[]), again(PRODUCT, "-2\"")]).await;
    assert_one_dead_letter(&pool, "ProductCreated 77: event ").await;
    assert_eq!(stock(&pool).await, 10);
    // Concurrently, in one batch and in two transactions.
    let both = [external(ORDER, &[]), again(ORDER, "-2\"")];
    let reversed = [again(ORDER, "-3\""), external(ORDER, &[])];
    let (first, second) = tokio::join!(apply(&pool, &both), apply(&pool, &reversed));
    first.and(second).unwrap();
    assert_eq!((orders_of(&pool, 9).await, reasons(&pool).await.len()), (1, 3));
}

#[sqlx::test(migrator = "crate::MIGRATIONS")]
async fn external_events_do_not_create_own_aggregates_and_own_events_are_always_applied(
    pool: PgPool,
) {
    apply_all(&pool, &[ours(product(77, 1, Some(10), 10)), ours(own_order(900))]).await;
    apply_all(&pool, &[external(PRODUCT, &[]), external(ORDER, &[])]).await;
    let found = reasons(&pool).await;
    assert!(
        found.len() == 2 && found[1].starts_with("OrderCreated 900: the shop has"),
        "{found:?}"
    );
    assert_eq!((stock(&pool).await, orders_of(&pool, 9).await), (9, 0));

    let before = seen(&pool).await;
    let id = "\"orderId\":900";
    apply_all(&pool, &[external(ORDER, &[(id, "\"orderId\":901"), ("e-1", "e-9")])]).await;
    apply_all(&pool, &[ours(own_order(901))]).await;
    assert_eq!((orders_of(&pool, 9).await, orders_of(&pool, 7).await), (1, 2));
    assert_eq!(seen(&pool).await, before + 1);
}

#[sqlx::test(migrator = "crate::MIGRATIONS")]
async fn an_own_event_is_applied_although_an_external_event_used_its_id(pool: PgPool) {
    let event = own_order(5);
    let id = event.envelope.event_id.to_string();
    apply_all(&pool, &[external(PRODUCT, &[]), external(ORDER, &[("e-1", &id)])]).await;
    apply_all(&pool, &[ours(event.clone()), ours(event)]).await;
    assert_eq!((orders_of(&pool, 9).await, orders_of(&pool, 7).await), (1, 1));
    // In one batch our own event is applied at any position.
    let event = own_order(6);
    let id = event.envelope.event_id.to_string();
    // The order id first, because an event id may contain its digits.
    let taken = external(ORDER, &[("900", "906"), ("e-1", &id)]);
    apply(&pool, &[taken, ours(event)]).await.unwrap();
    assert_one_dead_letter(&pool, &format!("Event id {id} was used before")).await;
    assert_eq!((orders_of(&pool, 9).await, orders_of(&pool, 7).await), (1, 2));
}

#[sqlx::test(migrator = "crate::MIGRATIONS")]
async fn a_status_update_may_arrive_before_its_order(pool: PgPool) {
    apply_all(&pool, &[external(PRODUCT, &[])]).await;
    let line = r#""items":[{"productId":77,"productName":"Mate","category":"Drinks","quantity":2,"price":1.25}]"#;
    let cancelled = external(
        ORDER,
        &[
            ("OrderCreated", "OrderStatusUpdated"),
            ("e-1", "e-2"),
            (
                "\"orderId\"",
                "\"orderedAt\":\"2026-01-01T10:30\",\"oldStatus\":\"CREATED\",\"newStatus\":\"CANCELLED\",\"orderId\"",
            ),
            (r#""items":[{"productId":77,"quantity":2,"price":1.25}]"#, line),
        ],
    );
    apply_all(&pool, &[cancelled, external(ORDER, &[])]).await;
    assert_eq!(
        (reasons(&pool).await, orders_of(&pool, 9).await, stock(&pool).await),
        (vec![], 0, 10)
    );
    let status: String = value(&pool, "SELECT status FROM orders_read").await;
    assert_eq!(status, "CANCELLED");
}
