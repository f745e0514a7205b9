//! `product_sales_view`: what each product sold.

use super::Projection;
use super::sales::{self, Columns};
use futures::FutureExt;
use shared_events::{Event, Topic};
use sqlx::PgConnection;

/// Keeps `product_sales_view`.
pub const PRODUCT_SALES: Projection = Projection {
    view: "product_sales_view",
    topics: &[Topic::Orders],
    apply: |connection, events| add(connection, events).boxed(),
};

async fn add(connection: &mut PgConnection, events: &[Event]) -> sqlx::Result<()> {
    let deltas = sales::by_line(events, |_, line| line.product_id);
    if deltas.is_empty() {
        return Ok(());
    }
    let columns = Columns::of(&deltas);
    sqlx::query_file!(
        "src/projections/product_sales.sql",
        &deltas.keys().copied().collect::<Vec<_>>(),
        &columns.gross.quantity,
        &columns.gross.revenue,
        &columns.gross.orders,
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
