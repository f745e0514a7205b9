//! `hourly_sales_view`: sales by hour.

use super::Projection;
use super::sales::{self, Columns};
use futures::FutureExt;
use shared_events::{Event, Topic};
use sqlx::PgConnection;

/// Keeps `hourly_sales_view`.
pub const HOURLY_SALES: Projection = Projection {
    views: &["hourly_sales_view"],
    topics: &[Topic::Orders],
    apply: |connection, events| add(connection, events).boxed(),
};

async fn add(connection: &mut PgConnection, events: &[Event]) -> sqlx::Result<()> {
    let deltas = sales::by_order(events, |step| step.hour());
    if deltas.is_empty() {
        return Ok(());
    }
    let columns = Columns::of(&deltas);
    sqlx::query_file!(
        "src/projections/hourly_sales.sql",
        &deltas.keys().copied().collect::<Vec<_>>(),
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
