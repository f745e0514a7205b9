//! Tests [`apply`](crate::apply::apply) with a database.

mod progress;
mod timeouts;

use crate::apply::apply;
use crate::decoded_message::{Content, DecodedMessage, RawMessage};
use crate::external;
use crate::projections::sample_events::{history, line, order, product, status_update};
use crate::test_database::{execute, row, rows, value};
use crate::view_registration;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use shared_events::views::views;
use shared_events::{Attributes, Event, OrderStatus, Payload, Topic};
use sqlx::PgPool;
use std::slice::from_ref;

/// Columns of the other tables that must not depend on the order of events.
const PROGRESS: [(&str, &str); 3] = [
    ("topic_progress", "*"),
    ("sync_status", "last_processed_event_timestamp, events_applied"),
    ("processed_events", "event_id, counted"),
];

fn message(topic: Topic, ours: bool, body: Vec<u8>, content: Content) -> DecodedMessage {
    let raw = RawMessage { body, ..RawMessage::default() };
    DecodedMessage { topic, ours, raw, content, digest: None }
}

pub fn ours(event: Event) -> DecodedMessage {
    let topic = event.payload.topic();
    let body = event.to_json().unwrap().into_bytes();
    message(topic, true, body, Content::Event(event))
}

fn external_copy(event: Event) -> DecodedMessage {
    let digest = Some(external::digest_of(&event));
    DecodedMessage { ours: false, digest, ..ours(event) }
}

fn unreadable(body: &[u8], ours: bool) -> DecodedMessage {
    let event_id = Event::id_of(body, Attributes::default());
    let content = Content::Unreadable { event_id, reason: "malformed \0 text".to_owned() };
    message(Topic::Orders, ours, body.to_vec(), content)
}

fn tea(order_id: i64) -> Event {
    order(order_id, 7, vec![line(1, "Tea", 2, "1.5")])
}

async fn dump(pool: &PgPool) -> String {
    let mut dump = String::new();
    for (view, columns) in views().map(|view| (view.name, "*")).chain(PROGRESS) {
        let sql = format!(
            "SELECT coalesce(string_agg(v::text, E'\\n' ORDER BY v::text), '')
             FROM (SELECT {columns} FROM {view}) AS v"
        );
        let rows: String = value(pool, &sql).await;
        dump += &format!("{view}\n{rows}\n");
    }
    dump
}

pub async fn clear(pool: &PgPool) {
    let tables: Vec<&str> = views().map(|view| view.table).collect();
    let sql = format!(
        "TRUNCATE {}, topic_progress, sync_status, processed_events;
         INSERT INTO sync_status (id) VALUES (1);
         INSERT INTO topic_progress (topic)
         VALUES ('order-events'), ('product-events'), ('user-events')",
        tables.join(", ")
    );
    execute(pool, &sql).await;
}

/// Applies events in batches, each of one topic.
pub async fn apply_in_batches(pool: &PgPool, events: &[Event], batch: usize) {
    for batch in events.chunks(batch) {
        for topic in Topic::ALL {
            let of_topic = batch.iter().filter(|event| event.payload.topic() == topic);
            let deliveries: Vec<DecodedMessage> = of_topic.cloned().map(ours).collect();
            apply(pool, &deliveries).await.unwrap();
        }
    }
}

/// Number of counted order events.
pub async fn seen(pool: &PgPool) -> i64 {
    value(pool, "SELECT seen FROM topic_progress WHERE topic = 'order-events'").await
}

async fn dead_letters(pool: &PgPool) -> i64 {
    value(pool, "SELECT count(*) FROM dead_letters").await
}

async fn orders_of_product_1(pool: &PgPool) -> i64 {
    value(pool, "SELECT order_count FROM product_sales_view WHERE product_id = 1").await
}

#[sqlx::test(migrator = "crate::MIGRATIONS")]
async fn views_do_not_depend_on_order_and_repetition_of_events(pool: PgPool) {
    let history = history();
    // In the original order, one by one.
    for event in &history {
        apply(&pool, &[ours(event.clone())]).await.unwrap();
    }
    let expected = dump(&pool).await;

    let repeated: Vec<Event> = history.iter().chain(&history[5..25]).cloned().collect();
    let streams = (Just(repeated).prop_shuffle(), 1..20_usize);
    let mut runner = TestRunner::deterministic();
    for _ in 0..25 {
        let (stream, batch) = streams.new_tree(&mut runner).unwrap().current();
        clear(&pool).await;
        apply_in_batches(&pool, &stream, batch).await;
        assert_eq!(dump(&pool).await, expected);
    }
}

#[sqlx::test(migrator = "crate::MIGRATIONS")]
async fn concurrent_consumers_apply_each_event_once(pool: PgPool) {
    let history: Vec<Event> =
        history().into_iter().filter(|event| event.payload.topic() == Topic::Orders).collect();
    let forwards: Vec<DecodedMessage> = history.iter().cloned().map(ours).collect();
    let backwards: Vec<DecodedMessage> = forwards.iter().rev().cloned().collect();
    let consume = async |deliveries: &[DecodedMessage]| {
        for batch in deliveries.chunks(3) {
            apply(&pool, batch).await.unwrap();
        }
    };
    tokio::join!(consume(&forwards), consume(&backwards));
    let together = dump(&pool).await;
    clear(&pool).await;
    consume(&forwards).await;
    assert_eq!(dump(&pool).await, together);
}

#[sqlx::test(migrator = "crate::MIGRATIONS")]
async fn an_unreadable_message_is_stored_once_and_the_others_are_applied(pool: PgPool) {
    let good = tea(1);
    let batch = [
        unreadable(b"not json", true),
        ours(good.clone()),
        unreadable(br#"{"eventId":"0190a000-0000-7000-8000-00000000002a"}"#, true),
        unreadable(b"not json", true),
    ];
    apply(&pool, &batch).await.unwrap();
    apply(&pool, &batch).await.unwrap();
    assert_eq!(dead_letters(&pool).await, 2);
    // All three messages of our own outbox are counted.
    assert_eq!(seen(&pool).await, 3);
    let body: Vec<u8> = value(&pool, "SELECT body FROM dead_letters WHERE event_id IS NULL").await;
    assert_eq!(body, b"not json");
}

#[sqlx::test(migrator = "crate::MIGRATIONS")]
async fn only_events_that_the_database_refuses_become_dead_letters(pool: PgPool) {
    // The sum of the view overflows with the two large orders, but not with the small ones.
    let nearly_full = "INSERT INTO product_sales_view (product_id, total_revenue)
                       VALUES (1, 99999999999999999000)";
    execute(&pool, nearly_full).await;
    let mut batch: Vec<DecodedMessage> = (1..=9).map(|id| ours(tea(id))).collect();
    for (place, id) in [(3, 101), (6, 102)] {
        batch.insert(place, ours(order(id, 7, vec![line(1, "Tea", 1, "2000")])));
    }
    apply(&pool, &batch).await.unwrap();
    assert_eq!(dead_letters(&pool).await, 2);
    assert_eq!(seen(&pool).await, 11);
    assert_eq!(orders_of_product_1(&pool).await, 9);
}

#[sqlx::test(migrator = "crate::MIGRATIONS")]
async fn stock_is_the_sum_of_deltas_less_the_stock_taken(pool: PgPool) {
    let mut untracked = line(2, "Tea", 5, "1");
    untracked.stock_taken = Some(0);
    apply(&pool, &[ours(order(1, 1, vec![line(1, "Tea", 3, "1"), untracked]))]).await.unwrap();
    apply(&pool, &[ours(product(1, 1, Some(10), 10)), ours(product(2, 1, None, 0))]).await.unwrap();
    let stocks: Vec<(i64, Option<i64>)> =
        rows(&pool, "SELECT product_id, stock FROM products_read_view ORDER BY product_id").await;
    assert_eq!(stocks, [(1, Some(7)), (2, None)]);
}

/// A command service of an older version repeats the order without `stockTaken`.
#[sqlx::test(migrator = "crate::MIGRATIONS")]
async fn a_property_that_a_newer_event_lacks_is_kept(pool: PgPool) {
    let mut untracked = line(1, "Tea", 5, "1");
    untracked.stock_taken = Some(0);
    let placed = order(1, 7, vec![untracked]);
    let mut paid = status_update(&placed, 2, OrderStatus::Created, OrderStatus::Paid);
    if let Payload::OrderStatusUpdated(update) = &mut paid.payload {
        update.items[0].stock_taken = None;
    }
    let (placed, paid) = (ours(placed), ours(paid));
    let batches: [&[&[DecodedMessage]]; 4] = [
        &[from_ref(&placed), from_ref(&paid)],
        &[from_ref(&paid), from_ref(&placed)],
        &[&[placed.clone(), paid.clone()]],
        &[&[paid.clone(), placed.clone()]],
    ];
    for stream in batches {
        clear(&pool).await;
        for batch in stream {
            apply(&pool, batch).await.unwrap();
        }
        let state = "SELECT status, state_version, items -> 0 ->> 'stockTaken',
                            jsonb_array_length(items)
                     FROM orders_read";
        let shown: (String, i64, Option<String>, i32) = row(&pool, state).await;
        assert_eq!(shown, ("PAID".to_owned(), 2, Some("0".to_owned()), 1));
    }
}

#[sqlx::test(migrator = "crate::MIGRATIONS")]
async fn registered_views_are_those_of_this_version(pool: PgPool) {
    execute(&pool, "INSERT INTO projections VALUES (9, 'old_view', 'order-events')").await;
    view_registration::write(&pool).await.unwrap();
    view_registration::write(&pool).await.unwrap();
    let registered: Vec<(String, String)> =
        rows(&pool, "SELECT view, topic FROM projections ORDER BY view, topic").await;
    let mut listed: Vec<(String, String)> = Vec::new();
    for view in views() {
        // The view exists.
        execute(&pool, &format!("SELECT FROM {}", view.name)).await;
        let topics = view.topics.iter();
        listed.extend(topics.map(|topic| (view.name.to_owned(), topic.name().to_owned())));
    }
    listed.sort();
    assert_eq!(registered, listed);
}

#[sqlx::test(migrator = "crate::MIGRATIONS")]
async fn a_missing_table_does_not_make_events_dead_letters(pool: PgPool) {
    execute(&pool, "ALTER TABLE hourly_sales_view RENAME TO renamed").await;
    assert!(apply(&pool, &[ours(tea(1))]).await.is_err());
    assert_eq!(dead_letters(&pool).await, 0);
    execute(&pool, "ALTER TABLE renamed RENAME TO hourly_sales_view").await;
    apply(&pool, &[ours(tea(1))]).await.unwrap();
    assert_eq!(seen(&pool).await, 1);
}
