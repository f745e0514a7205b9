//! `hourly_sales_view`: what was sold in each hour.

use super::{Projection, sales};
use futures::FutureExt;
use futures::future::BoxFuture;
use shared_events::{Event, Topic};
use sqlx::PgConnection;

/// Keeps `hourly_sales_view`.
pub struct HourlySales;

impl Projection for HourlySales {
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
    let deltas = sales::by_order(events, |event, _| sales::hour(event));
    if deltas.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO hourly_sales_view AS view (hour_timestamp, gross_revenue, gross_orders)
         SELECT * FROM unnest($1::timestamptz[], $2::numeric[], $3::bigint[])
         ON CONFLICT (hour_timestamp) DO UPDATE
         SET gross_revenue = view.gross_revenue + excluded.gross_revenue,
             gross_orders = view.gross_orders + excluded.gross_orders",
        &deltas.keys().copied().collect::<Vec<_>>(),
        &deltas.values().map(|delta| delta.revenue).collect::<Vec<_>>(),
        &deltas.values().map(|delta| delta.orders).collect::<Vec<_>>(),
    )
    .execute(connection)
    .await?;
    Ok(())
}
