//! `hourly_product_sales_view`: what each product sold in each hour.

use super::{Projection, sales};
use futures::FutureExt;
use futures::future::BoxFuture;
use shared_events::{Event, Topic};
use sqlx::PgConnection;

/// Keeps `hourly_product_sales_view`.
pub struct HourlyProductSales;

impl Projection for HourlyProductSales {
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
    let deltas = sales::by_line(events, |event, line| (sales::hour(event), line.product_id));
    if deltas.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO hourly_product_sales_view AS view
             (hour_timestamp, product_id, gross_quantity, gross_revenue, gross_orders)
         SELECT * FROM unnest($1::timestamptz[], $2::bigint[], $3::bigint[], $4::numeric[],
                              $5::bigint[])
         ON CONFLICT (hour_timestamp, product_id) DO UPDATE
         SET gross_quantity = view.gross_quantity + excluded.gross_quantity,
             gross_revenue = view.gross_revenue + excluded.gross_revenue,
             gross_orders = view.gross_orders + excluded.gross_orders",
        &deltas.keys().map(|(hour, _)| *hour).collect::<Vec<_>>(),
        &deltas.keys().map(|(_, product_id)| *product_id).collect::<Vec<_>>(),
        &deltas.values().map(|delta| delta.quantity).collect::<Vec<_>>(),
        &deltas.values().map(|delta| delta.revenue).collect::<Vec<_>>(),
        &deltas.values().map(|delta| delta.orders).collect::<Vec<_>>(),
    )
    .execute(connection)
    .await?;
    Ok(())
}
