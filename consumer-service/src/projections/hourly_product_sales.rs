//! `hourly_product_sales_view`: sales by hour and product.

use super::Projection;
use super::sales::{self, Columns};
use futures::FutureExt;
use shared_events::{Event, Topic};
use sqlx::PgConnection;

/// Keeps `hourly_product_sales_view`.
pub const HOURLY_PRODUCT_SALES: Projection = Projection {
    views: &["hourly_product_sales_view"],
    topics: &[Topic::Orders],
    apply: |connection, events| add(connection, events).boxed(),
};

async fn add(connection: &mut PgConnection, events: &[Event]) -> sqlx::Result<()> {
    let deltas = sales::by_line(events, |step, line| (step.hour(), line.product_id));
    if deltas.is_empty() {
        return Ok(());
    }
    let columns = Columns::of(&deltas);
    sqlx::query_file!(
        "src/projections/hourly_product_sales.sql",
        &deltas.keys().map(|(hour, _)| *hour).collect::<Vec<_>>(),
        &deltas.keys().map(|(_, product_id)| *product_id).collect::<Vec<_>>(),
        &columns.total.quantity,
        &columns.total.revenue,
        &columns.total.orders,
        &columns.cancelled.quantity,
        &columns.cancelled.revenue,
        &columns.cancelled.orders,
        &columns.refunded.quantity,
        &columns.refunded.revenue,
        &columns.refunded.orders,
    )
    .execute(connection)
    .await?;
    Ok(())
}
