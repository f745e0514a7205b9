//! `hourly_product_sales_view`: what each product sold in each hour.

use super::Projection;
use super::sales::{self, Columns};
use futures::FutureExt;
use futures::future::BoxFuture;
use shared_events::{Event, Topic};
use sqlx::PgConnection;

/// Keeps `hourly_product_sales_view`.
pub struct HourlyProductSales;

impl Projection for HourlyProductSales {
    fn view(&self) -> &'static str {
        "hourly_product_sales_view"
    }

    fn topics(&self) -> &'static [Topic] {
        &[Topic::Orders]
    }

    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        events: &'a [Event],
    ) -> BoxFuture<'a, sqlx::Result<()>> {
        add(connection, events).boxed()
    }
}

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
