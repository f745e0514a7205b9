//! Every service exposes the documented metrics from its start, and they count correctly.

use crate::harness::{Keys, Response, Service, Shop, client, eventually, order};
use crate::roles::{Signer, shop_with_credentials};
use std::collections::BTreeMap;
use system_tests::documented_metrics::documented;

#[tokio::test]
async fn every_service_has_exactly_the_documented_metrics_from_its_start() {
    let shop = Shop::start().await;
    for (service, section) in [
        (&shop.command, "Command service"),
        (&shop.consumer, "Consumer service"),
        (&shop.query, "Query service"),
    ] {
        let metrics = service.metrics().await;
        let mut expected = documented("All services");
        expected.extend(documented(section));
        assert_eq!(metrics.kinds(), expected, "{}", service.name());
        for name in metrics.kinds().into_keys() {
            assert!(metrics.text.contains(&format!("# HELP {name} ")), "{name}");
        }
        let series = metrics.text.lines().filter(|line| !line.starts_with('#')).count();
        println!("{}: {} metrics, {series} series", service.name(), expected.len());
    }
    shop.stop().await;
}

#[tokio::test]
async fn every_health_check_has_a_series() {
    let (keys, signer) = (Keys::empty(), Signer::new());
    let shop = shop_with_credentials(&keys, &signer).await;
    for service in shop.services() {
        let parts = eventually(async || {
            let (health, metrics) = (service.health().await, service.metrics().await);
            let parts: BTreeMap<String, f64> = health
                .body
                .as_object()
                .unwrap()
                .iter()
                .filter_map(|(part, state)| {
                    Some((part.clone(), f64::from(u8::from(state.get("status")? == "up"))))
                })
                .collect();
            let has_series = |(part, up): (&String, &f64)| {
                let series = format!("shop_part_up{{part=\"{part}\"}} {up}");
                metrics.text.lines().any(|line| line == series)
            };
            // Health may change between the two requests.
            if parts.iter().all(has_series) { Ok(parts) } else { Err((parts, metrics.text)) }
        })
        .await;
        for part in ["api-keys", "jwks", "database"] {
            assert!(parts.contains_key(part), "{}: {parts:?}", service.name());
        }
    }
    shop.stop().await;
}

/// Waits until a metric has a value.
async fn wait_for_value(service: &Service, metric: &str, labels: &[&str], value: f64) {
    eventually(async || {
        let found = service.metrics().await.value(metric, labels);
        if found == value { Ok(()) } else { Err(format!("{metric} {labels:?}: {found}")) }
    })
    .await;
}

#[tokio::test]
async fn commands_and_published_events_are_counted() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "5", 10).await;
    for (quantity, status) in [(1, 201), (2, 201), (99, 400)] {
        assert_eq!(shop.order(1, product, quantity).await.status, status);
    }
    shop.order(1, 999, 1).await.assert_status(400);
    shop.post("/api/orders", "{}").await.assert_status(400);
    for (body, status) in
        [(order(1, product, 1), 201), (order(1, product, 1), 201), (order(1, product, 2), 422)]
    {
        let headers = [("idempotency-key", "k")];
        shop.post_with("/api/orders", &body, &headers).await.assert_status(status);
    }
    shop.caught_up().await;

    let metrics = shop.command.metrics().await;
    let orders = ["server=api", "method=POST", "route=/api/orders"];
    for (metric, labels, value) in [
        ("shop_orders_accepted_total", &[][..], 3.0),
        ("shop_orders_refused_total", &["reason=invalid"], 1.0),
        ("shop_orders_refused_total", &["reason=product_not_found"], 1.0),
        ("shop_orders_refused_total", &["reason=insufficient_stock"], 1.0),
        ("shop_orders_refused_total", &["reason=price_differs"], 0.0),
        ("shop_keyed_commands_total", &["result=new"], 1.0),
        ("shop_keyed_commands_total", &["result=replayed"], 1.0),
        ("shop_keyed_commands_total", &["result=mismatched"], 1.0),
        ("shop_commands_accepted_total", &["command=create_product"], 1.0),
        ("shop_commands_accepted_total", &["command=place_order"], 4.0),
        ("shop_commands_refused_total", &["command=place_order"], 4.0),
        ("shop_commands_failed_total", &[], 0.0),
        ("shop_http_requests_total", &orders, 8.0),
        ("shop_http_request_duration_seconds_count", &orders, 8.0),
        ("shop_http_requests_in_flight", &["server=api"], 0.0),
        ("shop_outbox_published_events_total", &[], 4.0),
        ("shop_publish_confirms_total", &["result=confirmed"], 4.0),
        ("shop_publish_confirms_total", &["result=returned"], 0.0),
        ("shop_publisher_leader", &[], 1.0),
        ("shop_part_up", &["part=database"], 1.0),
        ("shop_internal_errors_total", &[], 0.0),
    ] {
        assert_eq!(metrics.value(metric, labels), value, "{metric} {labels:?}");
    }
    for status in ["500", "503"] {
        let labels = [orders[2], &format!("status={status}")];
        assert_eq!(metrics.value("shop_http_requests_total", &labels), 0.0, "{status}");
    }
    wait_for_value(&shop.command, "shop_outbox_unpublished_events", &["topic=order-events"], 0.0)
        .await;
    shop.stop().await;
}

#[tokio::test]
async fn applied_duplicate_and_dead_lettered_events_are_counted() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "5", 10).await;
    shop.place_order(1, product, 1).await;
    shop.caught_up().await;
    let payload = "SELECT payload::text FROM outbox WHERE topic = 'order-events'";
    let payload: String =
        sqlx::query_scalar(payload).fetch_one(&shop.databases.write).await.unwrap();
    let bodies = [payload.into_bytes(), b"not json".to_vec()];
    shop.broker.publish("order-events", &bodies).await;

    let consumer = &shop.consumer;
    wait_for_value(consumer, "shop_events_parked_total", &["reason=unreadable"], 1.0).await;
    wait_for_value(consumer, "shop_events_duplicate_total", &["topic=order-events"], 1.0).await;
    wait_for_value(consumer, "shop_dead_letters", &[], 1.0).await;
    let letters = consumer.url("operations", "/admin/dead-letters").await;
    let redriven = Response::to(client().post(format!("{letters}/1/redrive"))).await.unwrap();
    assert_eq!(redriven.status, 409);
    let discarded = Response::to(client().delete(format!("{letters}/1"))).await.unwrap();
    assert_eq!(discarded.status, 200);
    let metrics = consumer.metrics().await;
    for (metric, label, value) in [
        ("shop_events_applied_total", "topic=order-events", 1.0),
        ("shop_events_applied_total", "topic=product-events", 1.0),
        ("shop_events_duplicate_total", "topic=product-events", 0.0),
        ("shop_apply_retries_total", "topic=order-events", 0.0),
        ("shop_dead_letter_redrives_total", "outcome=refused", 1.0),
        ("shop_dead_letter_redrives_total", "outcome=applied", 0.0),
    ] {
        assert_eq!(metrics.value(metric, &[label]), value, "{metric} {label}");
    }
    assert_eq!(metrics.value("shop_dead_letters_discarded_total", &[]), 1.0);
    let batches = metrics.value("shop_apply_batch_size_count", &["topic=order-events"]);
    let messages = metrics.value("shop_apply_batch_size_sum", &["topic=order-events"]);
    assert!(batches >= 1.0 && messages >= 3.0, "{}", metrics.text);
    assert!(metrics.value("shop_deliveries_total", &["topic=order-events"]) >= messages);
    shop.stop().await;
}

#[tokio::test]
async fn lag_and_read_your_writes_are_measured() {
    let mut shop = Shop::start().await;
    let product = shop.product("Tea", "5", 10).await;
    shop.caught_up().await;
    wait_for_value(&shop.query, "shop_lag_seconds", &[], 0.0).await;
    shop.consumer.kill();
    let ordered = shop.order(1, product, 1).await;
    let event = ordered.event_id();
    let stale = shop.get(&format!("/api/products?after={event}&wait=500")).await;
    assert_eq!(stale.headers["x-stale"], "true");
    eventually(async || {
        let lag = shop.query.metrics().await.value("shop_lag_seconds", &[]);
        if lag > 3.0 { Ok(()) } else { Err(lag) }
    })
    .await;
    shop.consumer.restart();
    let shown = shop.get(&format!("/api/products?after={event}&wait=10000&strict=true")).await;
    assert_eq!(shown.status, 200);
    wait_for_value(&shop.query, "shop_lag_seconds", &[], 0.0).await;
    let metrics = shop.query.metrics().await;
    for (result, value) in [("stale", 1.0), ("shown", 1.0), ("refused", 0.0), ("failed", 0.0)] {
        let label = format!("result={result}");
        assert_eq!(metrics.value("shop_read_your_writes_total", &[&label]), value, "{result}");
    }
    assert_eq!(metrics.value("shop_read_your_writes_wait_seconds_count", &[]), 2.0);
    // The duration of a request does not include its wait.
    let waited = metrics.value("shop_read_your_writes_wait_seconds_sum", &[]);
    let products = ["server=api", "route=/api/products"];
    let took = metrics.value("shop_http_request_duration_seconds_sum", &products);
    assert!(waited > 0.0 && took < waited, "waited {waited} s, took {took} s");
    shop.stop().await;
}
