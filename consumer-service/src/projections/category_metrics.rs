//! `category_metrics_view`: what each category sold, by the category as
//! ordered. A category is known, with zeros, once a product is in it.

use super::{Projection, sales};
use futures::FutureExt;
use futures::future::BoxFuture;
use shared_events::{Event, Topic};
use sqlx::PgConnection;

/// Keeps `category_metrics_view`.
pub struct CategoryMetrics;

impl Projection for CategoryMetrics {
    fn topics(&self) -> &'static [Topic] {
        &[Topic::Orders, Topic::Products]
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
    let mut deltas = sales::by_line(events, |_, line| line.category.clone());
    for product in events.iter().filter_map(|event| event.payload.product()) {
        deltas.entry(product.category.clone()).or_default();
    }
    if deltas.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO category_metrics_view AS view (category_name, gross_revenue, gross_orders)
         SELECT * FROM unnest($1::text[], $2::numeric[], $3::bigint[])
         ON CONFLICT (category_name) DO UPDATE
         SET gross_revenue = view.gross_revenue + excluded.gross_revenue,
             gross_orders = view.gross_orders + excluded.gross_orders",
        &deltas.keys().cloned().collect::<Vec<_>>(),
        &deltas.values().map(|delta| delta.revenue).collect::<Vec<_>>(),
        &deltas.values().map(|delta| delta.orders).collect::<Vec<_>>(),
    )
    .execute(connection)
    .await?;
    Ok(())
}
