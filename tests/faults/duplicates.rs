//! Copies of events, in any order, from our publisher and from strangers.

use super::environment::Stage;
use lapin::BasicProperties;
use shared_events::topology::{EXCHANGE, PUBLISHER, routing_key};
use uuid::Uuid;

/// An event as it is in the outbox.
type Row = (Uuid, String, String, String);

/// Everything that was ever published comes again, shuffled, while more is ordered.
pub async fn shuffled(stage: &mut Stage) {
    for _ in 0..2 {
        stage.load.answered(60).await;
        let mut rows: Vec<Row> =
            sqlx::query_as("SELECT id, topic, payload ->> 'eventType', payload::text FROM outbox")
                .fetch_all(&stage.shop.databases.write)
                .await
                .unwrap();
        stage.random.shuffle(&mut rows);
        as_the_publisher(stage, &rows).await;
        stage.random.shuffle(&mut rows);
        as_a_stranger(stage, &rows).await;
    }
}

async fn as_the_publisher(stage: &Stage, rows: &[Row]) {
    let copies = rows.iter().map(|(id, topic, kind, payload)| {
        let properties = BasicProperties::default()
            .with_app_id(PUBLISHER.into())
            .with_message_id(id.to_string().into())
            .with_type(kind.as_str().into());
        (routing_key(topic, kind), payload.clone().into_bytes(), properties)
    });
    stage.shop.broker.publish_all(EXCHANGE, copies).await;
}

async fn as_a_stranger(stage: &Stage, rows: &[Row]) {
    let copies = rows.iter().map(|(_, topic, _, payload)| {
        (topic.clone(), payload.clone().into_bytes(), BasicProperties::default())
    });
    stage.shop.broker.publish_all("", copies).await;
}
