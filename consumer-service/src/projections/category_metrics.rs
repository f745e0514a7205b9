//! `category_metrics_view`: sales by category, as ordered. A category has a row of zeros
//! once a product is in it.

use super::Projection;
use super::sales::{self, Columns};
use futures::FutureExt;
use shared_events::{Event, Topic};
use sqlx::PgConnection;

/// Keeps `category_metrics_view`.
pub const CATEGORY_METRICS: Projection = Projection {
    views: &["category_metrics_view"],
    topics: &[Topic::Orders, Topic::Products],
    apply: |connection, events| add(connection, events).boxed(),
};

async fn add(connection: &mut PgConnection, events: &[Event]) -> sqlx::Result<()> {
    let mut deltas = sales::by_line(events, |_, line| line.category.clone());
    for product in events.iter().filter_map(|event| event.payload.product()) {
        deltas.entry(product.category.clone()).or_default();
    }
    if deltas.is_empty() {
        return Ok(());
    }
    let columns = Columns::of(&deltas);
    sqlx::query_file!(
        "src/projections/category_metrics.sql",
        &deltas.keys().cloned().collect::<Vec<_>>(),
        &columns.total.revenue,
        &columns.total.orders,
        &columns.cancelled.revenue,
        &columns.cancelled.orders,
        &columns.refunded.revenue,
        &columns.refunded.orders,
    )
    .execute(connection)
    .await?;
    Ok(())
}
