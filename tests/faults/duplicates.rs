//! Duplicates of events in random order, from the publisher and from outside.

use super::environment::Environment;
use lapin::BasicProperties;
use shared_events::topology::{EXCHANGE, PUBLISHER, routing_key};
use uuid::Uuid;

/// An event of the outbox: id, topic, type and payload.
type Row = (Uuid, String, String, String);

/// All events are published again in random order, while clients place orders.
pub async fn shuffled(environment: &mut Environment) {
    for _ in 0..2 {
        environment.load.wait_for_orders(60).await;
        let mut rows: Vec<Row> =
            sqlx::query_as("SELECT id, topic, payload ->> 'eventType', payload::text FROM outbox")
                .fetch_all(&environment.shop.databases.write)
                .await
                .unwrap();
        environment.random.shuffle(&mut rows);
        publish_as_publisher(environment, &rows).await;
        environment.random.shuffle(&mut rows);
        publish_as_external(environment, &rows).await;
    }
}

async fn publish_as_publisher(environment: &Environment, rows: &[Row]) {
    let copies = rows.iter().map(|(id, topic, kind, payload)| {
        let properties = BasicProperties::default()
            .with_app_id(PUBLISHER.into())
            .with_message_id(id.to_string().into())
            .with_type(kind.as_str().into());
        (routing_key(topic, kind), payload.clone().into_bytes(), properties)
    });
    environment.shop.broker.publish_all(EXCHANGE, copies).await;
}

async fn publish_as_external(environment: &Environment, rows: &[Row]) {
    let copies = rows.iter().map(|(_, topic, _, payload)| {
        (topic.clone(), payload.clone().into_bytes(), BasicProperties::default())
    });
    environment.shop.broker.publish_all("", copies).await;
}
