//! A trace covers a request, the publication of its event and the event's application. A
//! failing collector does not affect the services.

use crate::harness::{Collector, Response, Shop, Span, eventually, order};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

/// Trace id and span id in the client's `traceparent`.
const CLIENT: [&str; 2] = ["4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"];

/// Restarts all services with export settings and a short export interval.
async fn export_traces(shop: &mut Shop, settings: &[(&'static str, &str)]) {
    let interval = ("OTEL_BSP_SCHEDULE_DELAY", "100");
    shop.restart_with(&[&[interval], settings].concat()).await;
}

/// A shop that exports its traces to a collector.
async fn traced_shop() -> (Shop, Collector) {
    let (mut shop, collector) = (Shop::start().await, Collector::start().await);
    export_traces(&mut shop, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint)]).await;
    (shop, collector)
}

/// Places an order with a `traceparent`.
async fn order_in_trace(shop: &Shop, product: i64, traceparent: &str) -> Response {
    let headers = [("traceparent", traceparent)];
    let placed = shop.post_with("/api/orders", &order(1, product, 1), &headers).await;
    placed.assert_status(201);
    placed
}

/// The trace id of a response.
fn trace_of(response: &Response) -> String {
    let traceparent = response.headers["traceparent"].to_str().unwrap();
    traceparent.split('-').nth(1).unwrap().to_owned()
}

/// The spans of a trace, as soon as its event has been applied.
async fn complete_trace(collector: &Collector, trace: &str) -> Vec<Span> {
    eventually(async || {
        let spans = collector.of_trace(trace);
        let has = |kind: &str| spans.iter().any(|span| span.kind == kind);
        let is_complete = ["server", "producer", "consumer"].into_iter().all(has);
        if is_complete { Ok(spans) } else { Err(spans) }
    })
    .await
}

/// The spans below a parent as indented lines.
fn tree(spans: &[Span], parent: &str, depth: usize) -> String {
    let mut below: Vec<&Span> = spans.iter().filter(|span| span.parent == parent).collect();
    below.sort_by_key(|span| span.start);
    let line = |span: &Span| {
        let Span { service, name, kind, .. } = span;
        let indent = "  ".repeat(depth);
        format!("{indent}{service}: {name} ({kind})\n{}", tree(spans, &span.id, depth + 1))
    };
    below.into_iter().map(line).collect()
}

fn of_kind<'a>(spans: &'a [Span], kind: &str) -> &'a Span {
    spans.iter().find(|span| span.kind == kind).unwrap()
}

#[tokio::test]
async fn a_trace_covers_request_publication_and_application() {
    let (shop, collector) = traced_shop().await;
    let created = shop
        .post("/api/products", r#"{"name":"Tea","category":"Drinks","price":5,"stock":9}"#)
        .await;
    let spans = complete_trace(&collector, &trace_of(&created)).await;
    let product_tree = "\
command-service: POST /api/products (server)
  command-service: create_product (internal)
    command-service: publish product-events (producer)
      consumer-service: process product-events (consumer)
";
    assert_eq!(tree(&spans, "", 0), product_tree);

    let product = created.integer("productId");
    let placed =
        order_in_trace(&shop, product, &format!("00-{}-{}-01", CLIENT[0], CLIENT[1])).await;
    assert_eq!(trace_of(&placed), CLIENT[0]);
    let spans = complete_trace(&collector, CLIENT[0]).await;
    let order_tree = "\
command-service: POST /api/orders (server)
  command-service: place_order (internal)
    command-service: transaction (internal)
    command-service: publish order-events (producer)
      consumer-service: process order-events (consumer)
";
    assert_eq!(tree(&spans, CLIENT[1], 0), order_tree);
    println!("{product_tree}\n{order_tree}");

    let server = of_kind(&spans, "server");
    assert_eq!(server.attributes["http.request.method"], "POST");
    assert_eq!(server.attributes["http.route"], "/api/orders");
    assert_eq!(server.attributes["http.response.status_code"], "201");
    let event_id = placed.event_id();
    for kind in ["producer", "consumer"] {
        let attributes = &of_kind(&spans, kind).attributes;
        assert_eq!(attributes["messaging.system"], "rabbitmq");
        assert_eq!(attributes["messaging.destination.name"], "order-events");
        assert_eq!(attributes["messaging.message.id"], event_id);
        assert_eq!(attributes["cloudevents.event_type"], "OrderCreated");
    }
    // The batch has its own trace. The two traces link to each other.
    let processed = of_kind(&spans, "consumer");
    let batch = eventually(async || {
        let spans = collector.spans();
        let batch = spans.into_iter().find(|span| processed.links.contains(&span.id));
        batch.ok_or("no span of the batch")
    })
    .await;
    assert_eq!((batch.name.as_str(), batch.parent.as_str()), ("apply order-events", ""));
    assert!(batch.trace != CLIENT[0] && batch.links.contains(&processed.id), "{batch:?}");
    assert!(batch.attributes["messaging.batch.message_count"].parse::<usize>().unwrap() >= 1);
    // The event contains the span of the command as its parent.
    let command = spans.iter().find(|span| span.name == "place_order").unwrap();
    let stored: String =
        sqlx::query_scalar("SELECT payload ->> 'traceparent' FROM outbox WHERE id = $1::uuid")
            .bind(event_id)
            .fetch_one(&shop.databases.write)
            .await
            .unwrap();
    assert_eq!(stored, format!("00-{}-{}-01", CLIENT[0], command.id));
    assert!(collector.spans().iter().all(|span| !span.is_error));
    shop.stop().await;
}

#[tokio::test]
async fn orders_in_a_shared_transaction_have_complete_traces() {
    let (shop, collector) = traced_shop().await;
    let product = shop.product("Tea", "5", 1_000).await;
    let orders = (0..40).map(|customer| shop.order(1 + customer, product, 1));
    let responses = futures::future::join_all(orders).await;
    for response in &responses {
        response.assert_status(201);
        let spans = complete_trace(&collector, &trace_of(response)).await;
        let names: BTreeSet<&str> = spans.iter().map(|span| span.name.as_str()).collect();
        let expected = [
            "POST /api/orders",
            "place_order",
            "process order-events",
            "publish order-events",
            "transaction",
        ];
        assert_eq!(names, BTreeSet::from(expected));
        assert_eq!(spans.len(), expected.len(), "{spans:?}");
    }
    let spans = collector.spans();
    let shared = spans
        .iter()
        .filter(|span| span.name == "transaction" && span.attributes["shop.orders"] != "1");
    let linked: Vec<&Span> = shared.filter(|span| !span.links.is_empty()).collect();
    assert!(!linked.is_empty(), "no two of 40 orders shared a transaction");
    for span in linked {
        let first = spans.iter().find(|other| span.links.contains(&other.id)).unwrap();
        assert_eq!(first.attributes["shop.orders"], span.attributes["shop.orders"]);
    }
    shop.stop().await;
}

#[tokio::test]
async fn an_unsampled_trace_of_a_client_is_not_recorded() {
    let (shop, collector) = traced_shop().await;
    let product = shop.product("Tea", "5", 10).await;
    let traceparent = |trace: &str, flags: &str| format!("00-{trace}-{}-{flags}", CLIENT[1]);
    let placed = order_in_trace(&shop, product, &traceparent(CLIENT[0], "00")).await;
    let returned = placed.headers["traceparent"].to_str().unwrap();
    assert!(returned.starts_with(&format!("00-{}-", CLIENT[0])) && returned.ends_with("-00"));
    let recorded = CLIENT[0].replace('4', "5");
    order_in_trace(&shop, product, &traceparent(&recorded, "01")).await;
    complete_trace(&collector, &recorded).await;
    assert!(collector.of_trace(CLIENT[0]).is_empty());
    shop.stop().await;
}

#[tokio::test]
async fn an_unavailable_collector_does_not_affect_the_services() {
    let mut shop = Shop::start().await;
    // One collector accepts connections and does not respond. The other does not exist.
    let hanging = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let [hanging_url, closed_url] =
        [&hanging, &closed].map(|listener| format!("http://{}", listener.local_addr().unwrap()));
    drop(closed);
    for endpoint in [hanging_url, closed_url] {
        let settings = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "300"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "16"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "8"),
        ];
        export_traces(&mut shop, &settings).await;
        let product = shop.product("Tea", "5", 1_000).await;
        for _ in 0..20 {
            let orders = (0..10).map(|customer| shop.order(1 + customer, product, 1));
            let responses = futures::future::join_all(orders).await;
            assert!(responses.iter().all(|response| response.status == 201), "{responses:?}");
        }
        shop.caught_up().await;
        let message = "cannot send traces to the collector";
        eventually(async || {
            let log = shop.command.log();
            if log.contains(message) { Ok(()) } else { Err(log) }
        })
        .await;
        for service in shop.services_mut() {
            service.signal("TERM");
            let signalled = Instant::now();
            let status = service.wait_for_exit().await;
            assert!(status.success(), "{} ended with {status}", service.name());
            assert!(signalled.elapsed() < Duration::from_secs(9), "{:?}", signalled.elapsed());
            let log = service.log();
            assert!(log.matches(message).count() <= 1 && !log.contains("panicked"), "{log}");
        }
    }
    shop.stop().await;
}

#[tokio::test]
async fn responses_and_events_have_a_trace_id_without_a_collector() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "5", 10).await;
    let traceparent = format!("00-{}-{}-01", CLIENT[0], CLIENT[1]);
    let placed = order_in_trace(&shop, product, &traceparent).await;
    assert_eq!(placed.headers["traceparent"], traceparent.as_str());
    let own = shop.order(1, product, 1).await;
    for response in [&placed, &own] {
        let stored: String =
            sqlx::query_scalar("SELECT payload ->> 'traceparent' FROM outbox WHERE id = $1::uuid")
                .bind(response.event_id())
                .fetch_one(&shop.databases.write)
                .await
                .unwrap();
        assert_eq!(response.headers["traceparent"], stored.as_str());
    }
    assert!(shop.get("/api/products").await.headers.contains_key("traceparent"));
    shop.stop().await;
}
