//! People see who is who: in the flow that the query service draws, and in the
//! broker's management pages.

use crate::harness::{Shop, eventually};
use serde_json::Value;
use std::collections::BTreeMap;

#[tokio::test]
async fn the_flow_is_drawn_with_every_view() {
    let shop = Shop::start().await;
    let drawn = eventually(async || {
        let drawn = shop.get("/api/analytics/topology").await;
        if drawn.text.contains("(none is registered)") { Err(drawn.text) } else { Ok(drawn) }
    })
    .await;
    assert_eq!(drawn.status, 200);
    assert!(drawn.headers["content-type"].to_str().unwrap().starts_with("text/plain"));
    // Every table that clients read, whoever keeps it.
    let views: Vec<String> = sqlx::query_scalar(
        r"SELECT table_name::text
          FROM information_schema.tables
          WHERE table_schema = 'public' AND table_name ~ '_(view|read)$'",
    )
    .fetch_all(&shop.databases.read)
    .await
    .unwrap();
    assert!(!views.is_empty());
    for view in views {
        assert!(drawn.text.contains(&view), "{view} is not in\n{}", drawn.text);
    }
    shop.stop().await;
}

#[tokio::test]
async fn connections_channels_and_consumers_are_told_apart_in_the_management_pages() {
    let shop = Shop::start().await;
    // The pages are made from statistics, which come every few seconds.
    let tags = eventually(async || {
        let connections = names_of_connections(&shop).await;
        // A channel has no name of its own in AMQP, but its connection has.
        let mut channels = BTreeMap::<String, usize>::new();
        for channel in rows(&shop, "channels").await {
            let address = text(&channel["connection_details"]["name"]);
            let name = connections.get(&address).cloned().unwrap_or_default();
            *channels.entry(name).or_default() += 1;
        }
        let consumers = rows(&shop, "consumers").await;
        let mut tags: Vec<String> =
            consumers.iter().map(|consumer| text(&consumer["consumer_tag"])).collect();
        tags.sort();
        let expected = [
            ("command-service publisher order-events", 1),
            ("command-service publisher product-events", 1),
            ("command-service publisher user-events", 1),
            ("consumer-service", 3),
        ];
        let expected = expected.map(|(name, channels)| (name.to_owned(), channels));
        if channels == BTreeMap::from(expected) && tags.len() == 3 {
            Ok(tags)
        } else {
            Err(format!("{channels:?}, {tags:?}"))
        }
    })
    .await;
    for (tag, topic) in tags.iter().zip(["order-events", "product-events", "user-events"]) {
        assert!(tag.starts_with(&format!("consumer-service {topic} ")), "{tag}");
    }
    shop.stop().await;
}

/// What services call their connections, by the connections' addresses.
async fn names_of_connections(shop: &Shop) -> BTreeMap<String, String> {
    let connections = rows(shop, "connections").await;
    connections.iter().map(|of| (text(&of["name"]), text(&of["user_provided_name"]))).collect()
}

async fn rows(shop: &Shop, what: &str) -> Vec<Value> {
    shop.broker.list(what).await.as_array().cloned().unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
