//! Operators can identify every part: views in the topology page of the query service, and
//! connections, channels and consumers in the broker's management pages.

use crate::harness::{Shop, eventually};
use serde_json::Value;
use shared_events::Topic;
use std::collections::BTreeMap;

#[tokio::test]
async fn the_topology_page_contains_every_view() {
    let shop = Shop::start().await;
    let is_complete = |text: &str| !text.contains("(none is registered)");
    let page = shop.get_until("/api/analytics/topology", |page| is_complete(&page.text)).await;
    page.assert_status(200);
    assert!(page.headers["content-type"].to_str().unwrap().starts_with("text/plain"));
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
        assert!(page.text.contains(&view), "{view} is not in\n{}", page.text);
    }
    shop.stop().await;
}

#[tokio::test]
async fn the_management_pages_name_connections_channels_and_consumers() {
    let shop = Shop::start().await;
    let mut topics = Topic::ALL.map(Topic::name);
    topics.sort_unstable();
    let publishers = topics.map(|topic| (format!("command-service publisher {topic}"), 1));
    let consumers = [("consumer-service".to_owned(), topics.len())];
    let expected: BTreeMap<String, usize> = publishers.into_iter().chain(consumers).collect();
    // The pages are updated every few seconds.
    let tags = eventually(async || {
        // An AMQP channel has no name of its own, but its connection has.
        let names = names_of_connections(&shop).await;
        let mut channels = BTreeMap::<String, usize>::new();
        for channel in rows(&shop, "channels").await {
            let address = text(&channel["connection_details"]["name"]);
            let name = names.get(&address).cloned().unwrap_or_default();
            *channels.entry(name).or_default() += 1;
        }
        let consumers = rows(&shop, "consumers").await;
        let mut tags: Vec<String> =
            consumers.iter().map(|consumer| text(&consumer["consumer_tag"])).collect();
        tags.sort();
        if channels == expected && tags.len() == topics.len() {
            Ok(tags)
        } else {
            Err(format!("{channels:?}, {tags:?}"))
        }
    })
    .await;
    for (tag, topic) in tags.iter().zip(topics) {
        assert!(tag.starts_with(&format!("consumer-service {topic} ")), "{tag}");
    }
    shop.stop().await;
}

/// The names that services give to connections, by the connections' addresses.
async fn names_of_connections(shop: &Shop) -> BTreeMap<String, String> {
    let connections = rows(shop, "connections").await;
    connections.iter().map(|of| (text(&of["name"]), text(&of["user_provided_name"]))).collect()
}

async fn rows(shop: &Shop, kind: &str) -> Vec<Value> {
    shop.broker.list(kind).await.as_array().cloned().unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
