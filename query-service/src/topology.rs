//! Draws the flow of events from the exchange through queues to views: topics and event types
//! of the wire contract, and the views that the consumer service registers at start.

use crate::openapi;
use axum::extract::State;
use service_runtime::problem::Problem;
use shared_events::topology::EXCHANGE;
use shared_events::{EventType, Topic};
use sqlx::PgPool;
use std::fmt::Write;

/// A view and a topic whose events change it.
struct Projection {
    view: String,
    topic: String,
}

/// How events flow from the outbox to the views, as text
#[utoipa::path(
    get,
    path = "/api/analytics/topology",
    operation_id = "getTopology",
    tag = openapi::ANALYTICS,
    responses((status = 200, description = "A drawing.", body = String))
)]
pub async fn get(State(pool): State<PgPool>) -> Result<String, Problem> {
    let projections =
        sqlx::query_as!(Projection, "SELECT view, topic FROM projections ORDER BY place, topic")
            .fetch_all(&pool)
            .await?;
    // The names come from a table and may be shown in a terminal.
    Ok(safe_text::sanitize(&draw(&projections)).into_owned())
}

fn draw(projections: &[Projection]) -> String {
    let mut text = format!("outbox -> exchange {EXCHANGE}\n");
    let last = Topic::ALL.len() - 1;
    for (place, topic) in Topic::ALL.into_iter().enumerate() {
        let (branch, below) =
            if place == last { ("└──", "   ") } else { ("├──", "│  ") };
        let kinds = EventType::ALL.iter().filter(|kind| kind.topic() == topic);
        let views = projections.iter().filter(|projection| projection.topic == topic.name());
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "│\n\
             {branch} {key} -> queue {topic}\n\
             {below}     events  {kinds}\n\
             {below}     views   {views}\n",
            key = topic.binding_key(),
            kinds = list(kinds.map(|kind| kind.name()), below),
            views = list(views.map(|projection| projection.view.as_str()), below),
        );
    }
    text
}

/// One name per line, all but the first indented below a branch.
fn list<'a>(names: impl Iterator<Item = &'a str>, below: &str) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() {
        "(none is registered)".to_owned()
    } else {
        names.join(&format!("\n{below}             "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strum::VariantArray;

    #[test]
    fn every_topic_is_drawn_with_its_events_and_views() {
        let projection = |view: &str, topic: Topic| Projection {
            view: view.to_owned(),
            topic: topic.name().to_owned(),
        };
        let projections = [
            projection("products_read_view", Topic::Products),
            projection("products_read_view", Topic::Orders),
            projection("orders_read", Topic::Orders),
        ];
        let events = |topic: Topic, below: &str| {
            let names = EventType::VARIANTS.iter().filter(|event| event.topic() == topic);
            names.map(|event| event.name()).collect::<Vec<_>>().join(&format!("\n{below}"))
        };
        assert_eq!(
            draw(&projections),
            format!(
                "\
outbox -> exchange ecommerce.events
│
├── product-events.# -> queue product-events
│       events  {}
│       views   products_read_view
│
├── order-events.# -> queue order-events
│       events  {}
│       views   products_read_view
│               orders_read
│
└── user-events.# -> queue user-events
        events  {}
        views   (none is registered)
",
                events(Topic::Products, "│               "),
                events(Topic::Orders, "│               "),
                events(Topic::Users, "                "),
            )
        );
    }
}
